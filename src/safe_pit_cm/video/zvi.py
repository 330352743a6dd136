def open_zvi(path, choice, stack): raise NotImplementedError
