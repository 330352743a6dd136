def open_czi(path, choice, stack): raise NotImplementedError
