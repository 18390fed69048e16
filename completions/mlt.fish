complete --keep-order --exclusive --command mlt --arguments "(COMPLETE=fish mlt -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
