def open_oif(path, choice, stack): raise NotImplementedError
