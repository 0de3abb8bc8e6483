"""What the report says of scales in words: what limits each object's, and what the valid scenes are worth beside others."""

from typing import Any

import pandas as pd

FIXED_WORDS = {
    "fixed_middle": "one fixed scale: the middle of the range",
    "fixed_prior": "one fixed scale: from contact and motion",
    "fixed_depth": "one fixed scale: from the given depth",
}
COMPARED = ("psnr_db", "ssim", "lpips", "depth_mae")


def limit_rows(limits: list[dict[str, Any]], names: dict[int, str]) -> list[dict[str, str]]:
    """A row for each side of each object's scale: how far it may go, and what breaks past it."""
    return [
        {
            "object": names[entry["object"]],
            "limit": f"{'at most' if entry['above'] else 'at least'} {entry['scale']:.2f}",
            "reason": limit_words(entry, names) if entry["frames"] else "nothing contradicts the whole range",
            "frames": ", ".join(str(frame) for frame in entry["frames"]),
            "share": f"{100 * entry['share']:.1f} %" if entry["frames"] else "",
        }
        for entry in limits
    ]


def limit_sentences(limits: list[dict[str, Any]], names: dict[int, str]) -> list[str]:
    """What the film rules out, a sentence for each side of each object's scale."""
    return [limit_sentence(entry, names) for entry in limits]


def limit_sentence(entry: dict[str, Any], names: dict[int, str]) -> str:
    """How far an object's scale may go, and what the film shows against more."""
    name, side = names[entry["object"]], "farther" if entry["above"] else "nearer"
    if not entry["frames"]:
        return f"{name} {side}: nothing in the film contradicts it, to the end of its slider."
    frames = ", ".join(str(frame) for frame in sorted(entry["frames"])[:4])
    more = " and others" if len(entry["frames"]) > 4 else ""
    if entry["above"] and entry["seen"] == entry["object"]:
        why = f"it would stand in or behind {names[entry['shown']]}, and the film shows it in front"
    elif not entry["above"] and entry["shown"] == entry["object"]:
        why = f"it would hide {names[entry['seen']]}, which the film shows in front of it"
    else:
        why = f"{limit_words(entry, names)}, which the film shows"
    return f"{name} {side} than at scale {entry['scale']:.2f}: {why} (frames {frames}{more})."


def limit_words(entry: dict[str, Any], names: dict[int, str]) -> str:
    """Who would hide whom."""
    return f"{names[entry['shown']]} would hide {names[entry['seen']]}"


def comparison_rows(metrics: pd.DataFrame, method: str) -> list[dict[str, Any]]:
    """Valid scenes beside fixed scales in held-out views: of the filmed scene, and over all true ones where truth has more."""
    own = metrics[(metrics.stage == "render_views") & (metrics.method == method)]
    table = {(row["item"], row["metric"]): float(row["value"]) for row in own.to_dict("records")}
    if not any(item.startswith("fixed_") for item, _ in table):
        return []
    titles = {"held_out": "valid scene nearest to the truth", "samples": "valid scenes, mean", **FIXED_WORDS}
    items = [("the filmed scene", item, title) for item, title in titles.items()]
    items += [("all true scenes", "scenes", "valid scene nearest to each")]
    items += [("all true scenes", f"scenes_{item}", title) for item, title in FIXED_WORDS.items()]
    return [
        {"truth": truth, "title": title, "values": [spread_text(table, item, metric) for metric in COMPARED]}
        for truth, item, title in items
        if (item, "psnr_db") in table
    ]


def spread_text(table: dict[tuple[str, str], float], item: str, metric: str) -> str:
    """A mean with its standard deviation where there is one; empty where there is no number."""
    if (item, metric) not in table:
        return ""
    digits = 1 if metric == "psnr_db" else 3
    deviation = table.get((item, f"{metric}_std"))
    return f"{table[item, metric]:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")
