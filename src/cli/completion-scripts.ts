// The shells' side of completion: a script that passes the line up to the cursor to `longshore complete SHELL LINE`, and what it gets.
// Nothing of the line or of the answer is ever evaluated.

import type { Completion, Word } from './completion.js';

export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type Shell = (typeof SHELLS)[number];

/** One value per line, with what it is about after a tab; `:files` at the end where names of files fit, too. */
export function linesFor(shell: Shell, { values, withFiles }: Completion, current: Word): readonly string[] {
  const lines = values.map(({ value, about }) => (shell === 'bash' ? forBash(value, current) : `${value}\t${about}`));
  return withFiles ? [...lines, ':files'] : lines;
}

/** Bash takes a word apart at `:` and `=`, replaces only the last part of it, and quotes nothing by itself. */
function forBash(value: string, { text }: Word): string {
  const kept = Math.max(text.lastIndexOf(':'), text.lastIndexOf('=')) + 1;
  return value.slice(kept).replaceAll(/[^\w@%+=:,./~-]/gu, '\\$&');
}

const BASH = String.raw`# Completion of longshore for bash: source <(longshore completion bash)
_longshore() {
  local value current=${'$'}{COMP_WORDS[COMP_CWORD]}
  [[ $current == [:=] ]] && current=
  COMPREPLY=()
  while IFS= read -r value; do
    if [[ $value != :files ]]; then
      COMPREPLY+=("$value")
    elif ((${'$'}{#COMPREPLY[@]} == 0)); then
      compopt -o default
    else
      while IFS= read -r value; do
        [[ -d $value ]] && value+=/
        printf -v value %q "$value"
        COMPREPLY+=("$value")
      done < <(compgen -f -- "$current")
    fi
  done < <(longshore complete bash "${'$'}{COMP_LINE:0:COMP_POINT}" 2>/dev/null)
  [[ ${'$'}{COMPREPLY[0]-} == *[:/=] ]] && compopt -o nospace
  return 0
}
complete -F _longshore longshore`;

const ZSH = String.raw`#compdef longshore
# Completion of longshore for zsh: source <(longshore completion zsh), or save it as _longshore in a directory of $fpath.
_longshore() {
  local line value
  local -a open closed
  integer files=0
  for line in "${'$'}{(@f)$(longshore complete zsh "${'$'}{(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}"; do
    value=${'$'}{line%%$'\t'*}
    case $line in
      '') ;;
      :files) files=1 ;;
      *) if [[ $value == *[:/=] ]]; then open+=("${'$'}{value//:/\\:}:${'$'}{line#*$'\t'}"); else closed+=("${'$'}{value//:/\\:}:${'$'}{line#*$'\t'}"); fi ;;
    esac
  done
  (( $#closed )) && _describe -t values longshore closed
  (( $#open )) && _describe -t values longshore open -S ''
  (( files )) && _files
}
if [[ $funcstack[1] == _longshore ]]; then _longshore "$@"; else compdef _longshore longshore; fi`;

const FISH = String.raw`# Completion of longshore for fish: longshore completion fish | source
function __longshore_complete
    for line in (longshore complete fish (commandline -cp | string collect) 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c longshore -f -a '(__longshore_complete)'`;

const POWERSHELL = String.raw`# Completion of longshore for PowerShell: longshore completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName longshore -ScriptBlock {
  param($word, $ast, $cursor)
  $length = $cursor - $ast.Extent.StartOffset
  $line = $ast.ToString().PadRight($length).Substring(0, $length)
  longshore complete powershell $line 2>$null | ForEach-Object {
    if ($_ -eq ':files') { return [System.Management.Automation.CompletionCompleters]::CompleteFilename($word) }
    $value, $about = $_ -split "${'`'}t", 2
    if (-not $about) { $about = $value }
    $text = if ($value -match '[^\w@%+=:,./~-]') { "'" + $value.Replace("'", "''") + "'" } else { $value }
    [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $about)
  }
}`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH, powershell: POWERSHELL };
