"""Flow attention and the semantic head."""

import torch

from models.semantic_flow.attention import FlowAttention, SemanticHead


def head(kind: str = "flow_attention", displacement: bool = True) -> SemanticHead:
    return SemanticHead(kind, 6, 3, 10, 4, displacement, False, torch.Generator().manual_seed(0))  # type: ignore[arg-type]


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    features, moved = torch.randn(7, 3, 6, generator=generator), torch.randn(7, 3, 4, generator=generator)
    return features, moved, torch.ones(7, 3, dtype=torch.bool)


def test_hidden_tokens_change_nothing() -> None:
    network, (features, moved, visible) = head(), inputs()
    visible[:, 2] = False
    before = network.tokens(features, moved, visible)
    features[:, 2] += 100
    torch.testing.assert_close(network.tokens(features, moved, visible), before)


def test_attention_mixes_the_tokens_and_its_ablation_does_not() -> None:
    features, moved, visible = inputs()
    for kind, mixes in (("flow_attention", True), ("flow_features", False)):
        network = head(kind)
        before = network.tokens(features, moved, visible)
        changed = features.clone()
        changed[:, 0] += 1
        after = network.tokens(changed, moved, visible)
        assert bool((after[:, 1] != before[:, 1]).any()) is mixes


def test_without_displacement_tokens_do_not_see_it() -> None:
    features, moved, visible = inputs()
    blind, seeing = head(displacement=False), head()
    torch.testing.assert_close(blind.tokens(features, moved, visible), blind.tokens(features, 2 * moved, visible))
    assert bool((seeing.tokens(features, moved, visible) != seeing.tokens(features, 2 * moved, visible)).any())


def test_one_step_moves_every_weight_of_the_attention_and_none_when_it_is_untrained() -> None:
    features, moved, visible = inputs()
    for kind, trained in (("flow_attention", True), ("untrained_attention", False)):
        network = head(kind)
        before = [parameter.detach().clone() for parameter in network.attention.parameters()]
        adam = torch.optim.Adam(network.parameters(), lr=0.01)
        logits = network.from_trajectory(network.tokens(features, moved, visible), torch.zeros(7, 10))
        torch.nn.functional.cross_entropy(logits, torch.arange(7) % 4).backward()
        adam.step()
        after = list(network.attention.parameters())
        assert all(bool((a != b).any()) is trained for a, b in zip(after, before, strict=True))


def test_attention_agrees_with_a_slow_reference() -> None:
    attention = FlowAttention(torch.Generator().manual_seed(0))
    tokens = torch.randn(1, 3, 64)
    visible = torch.tensor([[True, True, False]])
    query, key, value = attention.project(tokens)[0].view(3, 3, 4, 16).unbind(1)
    merged = torch.zeros(3, 4, 16)
    for head_index in range(4):
        for i in range(3):
            scores = torch.stack([query[i, head_index] @ key[j, head_index] / 4 for j in range(2)])
            attends = torch.softmax(scores, dim=0)
            merged[i, head_index] = attends[0] * value[0, head_index] + attends[1] * value[1, head_index]
    expected = attention.norm(tokens[0] + attention.merge(merged.flatten(1)))
    torch.testing.assert_close(attention(tokens, visible)[0], expected)
