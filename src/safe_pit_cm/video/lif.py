def open_lif(path, choice, stack): raise NotImplementedError
