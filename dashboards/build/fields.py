"""How values look: units, colours and words, as the models of Grafana's SDK have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from dashboards.build.links import Link
from dashboards.build.panels import State
from dashboards.build.thresholds import Limit

Override = model.DynamicConfigValue


def override(id_val: str, value: object) -> Override:
    """A property of a field."""
    return model.DynamicConfigValue(id_val=id_val, value=value)


def steps(limit: Limit | None, plain: str = "green") -> build.ThresholdsConfig:
    """Thresholds; without a limit one colour for all."""
    known = limit.steps() if limit else [(None, plain)]
    made = [model.Threshold(value=value, color=colour) for value, colour in known]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(made)


def lines(limit: Limit | None) -> build.ThresholdsConfig:
    """
    Thresholds of lines over time. Grafana draws each in the colour of the step that begins there, so it has the colour
    of its own name, whether what is bad lies above or below.
    """
    given = [(limit.warning, "orange"), (limit.critical, "red")] if limit else []
    known = sorted((value, colour) for value, colour in given if value is not None)
    made = [model.Threshold(value=None, color="transparent")]
    made += [model.Threshold(value=value, color=colour) for value, colour in known]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(made)


def by_threshold() -> build.FieldColor:
    """Colours by threshold."""
    return build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def by_series() -> build.FieldColor:
    """A colour a series."""
    return build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC)


def mappings(states: Sequence[State]) -> list[model.ValueMapping]:
    """Words in place of values."""
    found: list[model.ValueMapping] = []
    exact: dict[str, model.ValueMappingResult] = {}
    for place, state in enumerate(states):
        result = model.ValueMappingResult(text=state.text, color=state.colour, index=place)
        if state.value is None:
            options = model.DashboardSpecialValueMapOptions(match=model.SpecialValueMatch.NULL_AND_NAN, result=result)
            found.append(model.SpecialValueMap(options=options))
        elif state.upto is not None:
            span = model.DashboardRangeMapOptions(from_val=state.value, to=state.upto, result=result)
            found.append(model.RangeMap(options=span))
        else:
            exact[f"{state.value:g}"] = result
    if exact:
        found.append(model.ValueMap(options=exact))
    return found


def texts(words: dict[str, tuple[str, str]]) -> list[model.ValueMapping]:
    """Words and colours in place of a label's texts."""
    options = {
        text: model.ValueMappingResult(text=word, color=colour, index=place)
        for place, (text, (word, colour)) in enumerate(words.items())
    }
    return [model.ValueMap(options=options)] if options else []


def data_links(links: Sequence[Link]) -> list[dict[str, Any]]:
    """Links of a cell or a point."""
    return [{"title": link.title, "url": link.url, "targetBlank": link.new} for link in links]


def head_link(link: Link) -> build.DashboardLink:
    """A link of a panel's or a dashboard's head."""
    return (
        build.DashboardLink(link.title)
        .type(model.DashboardLinkType.LINK)
        .url(link.url)
        .target_blank(link.new)
        .icon("external link" if link.new else "dashboard")
    )
