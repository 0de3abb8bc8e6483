#!/usr/bin/env bash
# Everything that a GPU has to show, on a machine that has Python 3.12 with torch and not our environment, in at most 8 minutes.
#
#   bash benchmarks/gpu_check.sh                       all parts
#   bash benchmarks/gpu_check.sh --parts speed,quality more options of `python -m benchmarks.gpu`
#
# The checkout is all that has to be carried there (8 MB); numpy, scipy, h5py, numba, pandas, OpenCV, PyYAML, Pillow and
# jaxtyping must be there. snakemake, pycolmap, av, trimesh, segment_anything and beartype are not needed; where pydantic is
# absent, benchmarks/stand_ins takes its place. The table comes to $OUT (results/gpu by default) as gpu.md and gpu.json,
# written after every row, so a run that is cut off still tells. Rows of parts that are run again are replaced.
set -u
cd "$(dirname "$0")/.."
OUT="${OUT:-results/gpu}"
PYTHON="${PYTHON:-python3}"
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
"$PYTHON" -c 'import pydantic' 2>/dev/null || export PYTHONPATH="$PWD/benchmarks/stand_ins:$PYTHONPATH"
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
missing="$("$PYTHON" - <<'PY'
from importlib.util import find_spec
print(*(name for name in ("torch", "numpy", "scipy", "h5py", "numba", "pandas", "cv2", "yaml", "PIL", "jaxtyping") if not find_spec(name)))
PY
)"
if [ -n "$missing" ]; then
  echo "$PYTHON lacks: $missing; install them, or carry them as wheels and name their folder in PYTHONPATH" >&2
  exit 1
fi
exec timeout --signal=INT 480 "$PYTHON" -m benchmarks.gpu --out "$OUT" "$@"
