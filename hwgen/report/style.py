"""The style of the page: light and dark, wide and narrow."""

__all__ = ["STYLE"]

STYLE = (
    """
:root { --ink: #1b2733; --dim: #5a6876; --paper: #fff; --panel: #f4f7fa; --rule: #d5dde5;
  --blue: #2f6db3; --pale: #b9cfe6; --useful: #2f6db3; --array: #9dbfe2; --load: #d98e2b;
  --drain: #8a63b5; --vector: #3f9a6b; --store: #b5574b; --control: #8b96a1;
  --s3: #3f9a6b; --s4: #b5574b; --s5: #8b96a1 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --dim: #9fadba; --paper: #12181f;
  --panel: #1b242e; --rule: #33404d; --blue: #6aa7ea; --pale: #35506d; --useful: #5b9be0;
  --array: #35587d; --load: #e2a44c; --drain: #a988d0; --vector: #5cba89; --store: #d37a6d;
  --control: #7c8894; --s3: #5cba89; --s4: #d37a6d; --s5: #7c8894 } }
* { box-sizing: border-box }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1000px; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .4rem; padding-top: .6rem;
  border-top: 1px solid var(--rule) }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem }
p { margin: .4rem 0 }
.dim, figcaption { color: var(--dim) }
code { font-size: .9em }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .7rem;
  margin: 1.2rem 0 }
.card { background: var(--panel); border-radius: 8px; padding: .7rem .9rem }
.card b { display: block; font-size: 1.5rem; line-height: 1.2 }
.card span { color: var(--dim); font-size: .85rem; line-height: 1.3; display: block }
.scroll, .chart { overflow-x: auto; margin: .6rem 0 }
svg { width: 100%; height: auto; display: block }
.picture { background: #fff; border-radius: 8px; padding: .5rem }
.picture svg { min-width: 620px }
svg.key { width: 12px; height: 12px; display: inline-block; vertical-align: -1px;
  margin-right: .4em; min-width: 0 }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap }
th { font-weight: 600; color: var(--dim) }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
details { margin: .5rem 0 } summary { cursor: pointer; font-weight: 600 }
.legend { font-size: .85rem; color: var(--dim); display: flex; flex-wrap: wrap; gap: .2rem 1.2rem }
.chart text { fill: var(--ink); font: 12.5px system-ui, sans-serif }
.chart text.small { font-size: 11.5px; fill: var(--dim) } .chart text.strong { font-weight: 600 }
.chart.plot { max-width: 640px }
.grid { stroke: var(--rule); fill: none } .axis { stroke: var(--dim); fill: none }
.ideal { fill: var(--pale) } .gated { fill: var(--blue) } .dense { fill: var(--load) }
.mark { stroke: var(--paper); stroke-width: 1 }
.roof { stroke: var(--dim); stroke-width: 1.6; fill: none; stroke-dasharray: 6 4 }
.roof-key { fill: var(--dim) } .stroke { fill: none; stroke-width: 2 }
.dense-bar { opacity: .55 } .stroke.again { stroke-dasharray: 5 4 }
@media (max-width: 600px) { .chart.plot svg { min-width: 0 !important }
  .chart.plot text { font-size: 19px } .chart.plot text.small { font-size: 17px } }
"""
    + "".join(
        f".fill.s{n} {{ fill: {colour} }} .stroke.s{n} {{ stroke: {colour} }}\n"
        f".fill.s{n}.again {{ fill: var(--paper); stroke: {colour}; stroke-width: 2 }}\n"
        for n, colour in enumerate(
            ["var(--blue)", "var(--load)", "var(--drain)", "var(--s3)", "var(--s4)", "var(--s5)"]
        )
    )
    + "".join(
        f".{reason} {{ fill: var(--{reason}) }}\n"
        for reason in ("useful", "array", "load", "drain", "vector", "store", "control")
    )
)
