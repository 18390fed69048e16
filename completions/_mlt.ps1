Register-ArgumentCompleter -Native -CommandName mlt -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # Words are taken as they stand: nothing on the line runs before Enter.
    $words = @()
    $last = ''
    foreach ($element in $commandAst.CommandElements) {
        if ($element.Extent.StartOffset -ge $cursorPosition) {
            break
        }
        $isText = $element -is [System.Management.Automation.Language.StringConstantExpressionAst] -or
            $element -is [System.Management.Automation.Language.ExpandableStringExpressionAst]
        $text = if ($isText) { $element.Value } else { $element.Extent.Text }
        if ($element.Extent.EndOffset -lt $cursorPosition) {
            $words += $text
        } elseif ($isText) {
            $last = $text
        } else {
            $last = $wordToComplete
        }
    }

    # Older versions drop empty words, so that the number of the last one is said.
    $before = $env:MLT_COMPLETE
    $env:MLT_COMPLETE = "$($words.Count)"
    try {
        $found = @(& mlt '--' @words $last 2>$null)
    } finally {
        $env:MLT_COMPLETE = $before
    }

    foreach ($line in $found) {
        $value, $help = $line -split "`t", 2
        # Older versions hand these to programs as something else.
        if (-not $value -or $value.Contains('"') -or $value.EndsWith('\')) {
            continue
        }
        if (-not $help) {
            $help = $value
        }
        $quoted = $value
        if ($value -notmatch '^(--?[A-Za-z0-9][A-Za-z0-9-]*=?|[A-Za-z0-9_][A-Za-z0-9_./:=+-]*)$') {
            $content = [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($value)
            $quoted = "'$content'"
        }
        [System.Management.Automation.CompletionResult]::new($quoted, $value, 'ParameterValue', $help)
    }
}
