"""How long a program waits before anything happens: importing the package, the help, and opening an export.

Medians of five fresh processes each, started one after another; of the predictor also the most memory that its process
had. The export is of a network with random weights, 4 layers of 128, made here first; nothing of torch is imported
where it is opened. An empty Python process is the ground that all of them stand on.

    python benchmarks/opening.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from results import Results

READINGS = 5
# Peak memory is read from /proc: getrusage tells the parent's where that was larger before the program began.
OPENED = """
import json, sys, time
began = time.perf_counter()
from subarch import Predictor
predictor = Predictor.from_pretrained(sys.argv[1], artifact=sys.argv[2], threads=1)
opened = time.perf_counter() - began
predictor(["a fine film"])
from pathlib import Path
said = Path("/proc/self/status").read_text()
peak = int(said.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps([opened, peak, sorted({"torch", "transformers", "scipy"} & set(sys.modules))]))
"""


def seconds(*command: str) -> tuple[float, str]:
    """Of a process from start to end, and what it printed."""
    began = time.perf_counter()
    ran = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, ran.stdout


def exported(folder: Path) -> Path:
    """A small network in both runtimes."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from subarch.cli import main
    from subarch.text.tokenizers import train_tokenizer

    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 4, "hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 4}
    BertForSequenceClassification(BertConfig(**sizes, vocab_size=8000, num_labels=2)).save_pretrained(folder / "model")
    train_tokenizer(["a fine film and a poor play"] * 50, 400).save_pretrained(folder / "model")
    given = ["--run", str(folder / "run"), "--artifacts", "onnx", "openvino", "--threads", "1"]
    assert main(["export", str(folder / "model"), *given]) == 0
    return folder / "run" / "export"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    results = Results("opening", str(__doc__).split("\n\n    ")[0])
    programs = {
        "an empty Python process": ("-c", "pass"),
        "import subarch": ("-c", "import subarch"),
        "subarch --help": ("-m", "subarch", "--help"),
    }
    for name, command in programs.items():
        found = [seconds(*command)[0] for _ in range(READINGS)]
        results.row("from start to end of a process", row(name, found))
    with tempfile.TemporaryDirectory() as folder:
        export = exported(Path(folder))
        size = sum(file.stat().st_size for file in export.glob("model.onnx")) / 2**20
        for form in ("onnx", "openvino"):
            said = [json.loads(seconds("-c", OPENED, str(export), form)[1]) for _ in range(READINGS)]
            loaded = sorted({name for one in said for name in one[2]})
            more = {"peak_mib": round(statistics.median(one[1] for one in said)), "model_mib": round(size, 1)}
            told = row(f"Predictor.from_pretrained, {form}", [one[0] for one in said])
            results.row("inside a process, from the first import to an open predictor", told | more | {"heavy": loaded})
    results.write()


def row(name: str, found: list[float]) -> dict[str, Any]:
    return {"what": name, "median_s": round(statistics.median(found), 3), "all_s": [round(one, 3) for one in found]}


if __name__ == "__main__":
    main()
