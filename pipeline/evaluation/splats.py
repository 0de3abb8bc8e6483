"""How like the trained field its splats are."""

from pipeline.formats.metrics_table import Findings, Row
from pipeline.formats.splats_folder import Likeness

STAGE = "export_splats"


def splats_findings(method: str, likeness: Likeness) -> Findings:
    """Of each object alone to its field, of all together to the field, and to the frames."""
    rows = [Row(STAGE, method, str(identity), "splats_psnr_db", value) for identity, value in likeness.objects.items()]
    rows.append(Row(STAGE, method, "all", "splats_psnr_db", likeness.field_db))
    rows.append(Row(STAGE, method, "observed", "psnr_db", likeness.frames_db))
    return Findings.of(rows)
