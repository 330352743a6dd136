def open_nd2(path, choice, stack): raise NotImplementedError
