"""What ``compress`` returns in Python: its result, which also answers texts and can be saved and shared."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from subarch.errors import InputError
from subarch.results.certificate import CertificateResult
from subarch.results.compress import CompressResult, EarlyResult
from subarch.running.predictor import Predictor, Texts

EXPORT = "export"


@dataclass(frozen=True, kw_only=True, repr=False)
class SmallModel(CompressResult):
    """A small model, ready to answer, with all that is known of it.

    >>> import subarch  # doctest: +SKIP
    >>> small = subarch.compress("reviews.csv", "./my-bert", speedup=4)  # doctest: +SKIP
    >>> (answer,) = small(["a fine film"])  # doctest: +SKIP
    >>> answer["label"]  # doctest: +SKIP
    'praise'
    """

    @cached_property
    def predictor(self) -> Predictor:
        """The exported form, opened when it is first asked."""
        return Predictor.from_pretrained(self.export.folder)

    def __call__(self, texts: Texts) -> list[dict[str, Any]]:
        """Answers of the exported form, in the order of the texts.

        Args:
            texts: single texts, or pairs: any list, column, array or generator of them.

        Returns:
            Of each text ``label`` and ``probabilities`` by label, or ``value`` where numbers are predicted.

        Raises:
            ValueError: for what is no text, by its place, and for an export that is damaged or gone.
        """
        return self.predictor(texts)

    @property
    def certificate(self) -> CertificateResult:
        """How far from optimal the network can be."""
        return self.extract.certificate

    def save_pretrained(self, folder: str | Path) -> Path:
        """Copy what is needed to use and to share the model into one folder.

        Args:
            folder: new or empty, or saved to before. It then holds the checkpoint in the stock form with its tokenizer,
                the model card, and the export under ``export/``.

        Returns:
            The folder.

        Raises:
            ValueError: where the folder is a file, or holds something else.
            OSError: when it cannot be written.
        """
        folder = Path(folder)
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / EXPORT).is_dir()):
            raise InputError(f"expected a new or empty folder, got {folder}: give another one")
        shutil.copytree(self.finetune.checkpoint, folder, dirs_exist_ok=True)
        shutil.copytree(self.export.folder, folder / EXPORT, dirs_exist_ok=True)
        return folder

    def push_to_hub(self, name: str, *, private: bool | None = None, token: str | None = None) -> str:
        """Upload the same to the Hugging Face hub.

        Args:
            name: of the repository, such as ``me/small``; made where it is missing.
            private: whether one that is made is private; what the account says when not given.
            token: of the hub; the one of ``hf auth login`` or ``HF_TOKEN`` when not given.

        Returns:
            The address of the commit.

        Raises:
            ValueError: without a token.
        """
        import huggingface_hub

        known = token or huggingface_hub.get_token()
        if known is None:
            raise InputError(
                f"uploading {name} needs a token of the Hugging Face hub, and there is none: run hf auth login, set "
                "HF_TOKEN, or give token="
            )
        hub = huggingface_hub.HfApi(token=known)
        hub.create_repo(name, exist_ok=True, private=private)
        hub.upload_folder(repo_id=name, folder_path=self.finetune.checkpoint, commit_message="A small model")
        return str(
            hub.upload_folder(
                repo_id=name, folder_path=self.export.folder, path_in_repo=EXPORT, commit_message="Its exported form"
            )
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class EnoughModel(EarlyResult):
    """A rung of the ladder that was enough, ready to answer."""

    @cached_property
    def predictor(self) -> Predictor:
        """The rung, opened when it is first asked."""
        return Predictor.from_pretrained(self.folder)

    def __call__(self, texts: Texts) -> list[dict[str, Any]]:
        """As :meth:`SmallModel.__call__`."""
        return self.predictor(texts)
