"""What operators of torch say about axes: a module a kind of operator."""
