# A shim of lynkr's: this tool runs through lynkr. Without it, once: $env:LYNKR_SHIM = 'off'; for good: lynkr shim remove
# The tool itself is looked for each time, past this folder, so that its upgrades and moves do no harm.
$lynkr = '@LYNKR@'
$tool = [IO.Path]::GetFileNameWithoutExtension($MyInvocation.MyCommand.Path)
$here = Split-Path -Parent $MyInvocation.MyCommand.Path
$real = Get-Command -All -CommandType Application $tool -ErrorAction SilentlyContinue |
  Where-Object { -not ((Get-Content -TotalCount 2 $_.Source) -match "A shim of lynkr's") } | Select-Object -First 1
if (-not $real) {
  [Console]::Error.WriteLine("lynkr: $tool is not found on PATH past lynkr's shim; install it, or: lynkr shim remove $tool")
  exit 127
}
if ($env:LYNKR_SHIM -eq 'off') {
  [Console]::Error.WriteLine("lynkr: $tool runs without lynkr (LYNKR_SHIM=off)")
  & $real.Source @args
  exit $LASTEXITCODE
}
& $lynkr --version *> $null
if ($LASTEXITCODE -ne 0) {
  [Console]::Error.WriteLine("lynkr: it cannot be started, so $tool runs without it; mend it, or remove $here\$tool.ps1")
  & $real.Source @args
  exit $LASTEXITCODE
}
& $lynkr run --join $real.Source @args
exit $LASTEXITCODE
