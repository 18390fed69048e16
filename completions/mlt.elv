use str

# Elvish quotes what it inserts.
set edit:completion:arg-completer[mlt] = {|@words|
    env MLT_COMPLETE=(- (count $words) 1) mlt -- $@words 2>/dev/null | from-lines | each {|line|
        put [(str:split "\t" $line)][0]
    }
}
