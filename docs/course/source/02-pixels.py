# %% [markdown] tags=["slide"]
# # 2 · Trifeature: putting R, U and S into pixels
#
# *Can we make pictures of which we know, exactly, what they tell together and alone? And when
# training pairs are "biased" to teach synergy: what does that really do to them?*

# %% [markdown] tags=["goals", "slide"]
# ## After this notebook you can
#
# * say which question about a pair of Trifeature images is redundant, unique or synergistic;
# * count the exact atoms of any set of pairs, from the rule by which they were drawn;
# * explain why biased training pairs hold redundancy where the test asks for synergy.
#
# **Time:** 60 minutes: 35 to read and run, 25 for the exercises.
#
# **Before:** notebook 1.

# %% [markdown]
# In notebook 1 the sources were coins. Here they are images, and the bits are put there by us.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import torch

import checks
from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.dataset import (
    SPLIT_OF,
    build,
    plan_images,
    plan_pairs,
    preset,
    with_match_rate,
)
from trifeature.data.rule import PairRule
from trifeature.data.truth import ground_truth, own_atoms
from trifeature.pid import example
from trifeature.plots import CURVE_COLORS, STYLE, atom_bars, gallery

plt.rcParams.update(STYLE)
torch.set_num_threads(1)  # for images this small a second core mostly waits for the first

# %% [markdown]
# ## The pictures
# Each image shows one **shape** with one **texture** in one **color**. Images go in pairs.

# %% [markdown]
# The preset `tiny`, made here, has five values of each, so that every table can be read whole; the
# paper's has ten, and so has the preset `quick` of the next notebooks. In the sheet, a pair stands
# upright, image 1 above image 2. Three sets of pairs are drawn: *train*, from which a network
# learns; *probe*, on which it is asked what it has learned, with the same images; and *test*, where
# the answers are scored, with combinations of shape, texture and color that training never shows.

# %%
data = build(preset("tiny", seed=1))
sheet = gallery(data, examples=5)
sheet.set_dpi(75)
sheet

# %% [markdown] tags=["slide"]
# ## The tasks
# Three things are asked of a pair:
#
# * **share**: which shape? Both images of a pair have the same one. *Redundancy:* either tells.
# * **unique1**, **unique2**: which texture has image 1, which has image 2? Drawn independently.
#   *Uniqueness:* only that image tells.
# * **synergy**: does the color of image 2 *match* the texture of image 1? A secret one-to-one map
#   gives each texture its partner color. *Synergy:* neither image alone tells.

# %% tags=["on-slide"]
rule = PairRule()
print(f"shared: {rule.shared}; own: {rule.unique}; tied by the map: {' and '.join(rule.synergy)}")
partners = data.settings.partners
for texture, color in enumerate(partners):
    print(f"{VALUES['texture'][texture]:8} goes with {VALUES['color'][color]}")

# %% [markdown] tags=["slide"]
# ## Four pairs
# The first four training pairs, image 1 above image 2. Is the shape the same? Does the color below
# match the texture above?

# %% tags=["on-slide"]
pairs, images = data.pairs["train"], data.images["train"]
figure, panels = plt.subplots(2, 4, figsize=(7, 3.9), layout="constrained")
for place, column in enumerate(panels.T):
    for axes, image in zip(column, pairs.images[place], strict=True):
        row = data.tables["train"].attributes[image]
        words = [VALUES[name][value] for name, value in zip(ATTRIBUTES, row, strict=True)]
        axes.imshow(images[image].permute(1, 2, 0))
        axes.set_title(" ".join(words), fontsize="small")
        axes.axis("off")
    match = "matches" if pairs.labels["synergy"][place] else "no match"
    column[1].text(0.5, -0.08, match, ha="center", va="top", transform=column[1].transAxes)
plt.show()

# %% [markdown] tags=["slide"]
# ## The exact atoms of the pairs as they were drawn
# The label of a task is a rule on a few attributes, so its atoms can be *counted* from the pairs
# that were drawn: no network, no estimate. Sources and target are named.


# %% tags=["on-slide"]
def show_atoms(dataset, which):
    """Print the atoms of every task on one set of pairs."""
    table = dataset.tables[SPLIT_OF[which]].attributes
    for task, atoms in own_atoms(table, dataset.pairs[which], dataset.settings.rule).items():
        R, U1, U2, S = (abs(value) for value in atoms.values)
        sources = " and ".join(" + ".join(s.split("+")) for s in atoms.sources)
        print(f"{task:8} R {R:.3f}  U1 {U1:.3f}  U2 {U2:.3f}  S {S:.3f}", end="")
        print(f"   about {atoms.target} from {sources}")


print(f"of {np.log2(5):.3f} bits that one attribute of five values can hold:")
show_atoms(data, "train")

# %% [markdown]
# Each task shows one atom and (nearly) no other. "Nearly", because pairs were *drawn*: a drawn
# set is never quite its law.

# %% [markdown] tags=["slide"]
# ## Why 50 % means "nothing known"
# One pair in five matches by chance. A model that knows nothing can say "no match" every time:

# %% tags=["on-slide"]
match = data.pairs["test"].labels["synergy"]
always_no = np.zeros_like(match)
plain = (always_no == match).mean()
macro = np.mean([(always_no == match)[match == label].mean() for label in (0, 1)])
print(f"plain accuracy of always 'no': {plain:.1%}")
print(f"macro accuracy (mean over the two answers): {macro:.1%}")

# %% [markdown]
# So accuracies here are *macro* accuracies, and a model that has learned nothing of the synergy
# stands at 50 %.

# %% [markdown] tags=["slide"]
# ## What biasing the pairs does
# To make a model learn the map, the paper trains on pairs that *keep* it more often: at match
# rate 1, always. It sounds as if this put synergy into the training pairs. Count.

# %% tags=["on-slide"]
biased = with_match_rate(data, 1.0)
print(f"share of training pairs that keep the map: {biased.pairs['train'].match_rate:.0%}")
print("labels of the synergy task there:", np.unique(biased.pairs["train"].labels["synergy"]))
show_atoms(biased, "train")

# %% [markdown] tags=["slide"]
# ## Before and after
# The unbiased and the biased training pairs in one picture, about texture 1 and about the match:

# %% tags=["on-slide"]
rule, table = data.settings.rule, data.tables["train"].attributes
before, after = (own_atoms(table, d.pairs["train"], rule) for d in (data, biased))
atom_bars(
    {
        "unbiased pairs": [before["unique1"]],
        "biased pairs": [after["unique1"]],
        "unbiased": [before["synergy"]],
        "biased": [after["synergy"]],
    }
)

# %% [markdown]
# Two things happened:
#
# 1. **The synergy label has become constant.** It is "yes" for every pair. A constant label has
#    no entropy, so there is nothing about it to tell: S is 0.
# 2. **Texture 1 has become redundant.** The color of image 2 now tells the texture of image 1
#    as well as image 1 does. What was unique to image 1 is told by both.
#
# The biased pairs do not contain the synergy. They contain a *regularity*, "this texture comes
# with that color", as redundancy. Whoever picks it up can use it on the test pairs, which are
# not biased and where the match is synergy again:

# %%
show_atoms(biased, "test")

# %% [markdown] tags=["slide"]
# ## All rates between
# Dots: counted from pairs as drawn. Lines: the closed form of the law. Move from chance (1/5) to
# 1 and watch the label's synergy rise, peak at ½, and vanish, while texture 1 turns redundant. (Or
# [move it yourself](../playground/index.html#task=texture1).)

# %% tags=["on-slide"]
rates = np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
drawn = [own_atoms(table, with_match_rate(data, r).pairs["train"], rule) for r in rates]

fine = np.linspace(0.2, 1, 200)
law_S = [example("MATCH-LABEL").atoms(values=5, rate=r)[3] for r in fine]
law_R, law_U = zip(
    *(example("MATCH-UNIQUE").atoms(values=5, rate=r)[:2] for r in fine), strict=True
)
lines = {
    "S of the match": (law_S, [a["synergy"].synergy for a in drawn], "-", "o"),
    "U1 of texture 1": (law_U, [a["unique1"].unique1 for a in drawn], "--", "s"),
    "R of texture 1": (law_R, [a["unique1"].redundancy for a in drawn], ":", "D"),
}
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for color, (label, (law, counted, style, marker)) in enumerate(lines.items()):
    axes.plot(fine, law, style, color=CURVE_COLORS[color])
    axes.plot(rates, counted, marker, color=CURVE_COLORS[color], label=label)
axes.set(xlabel="match rate of the training pairs", ylabel="bits")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown] tags=["slide"]
# ### Belief 9: "If half the pairs match, half the information is redundant"
# [Predict first](../playground/index.html#preset=half-match&guess=1). With ten values, as in the
# paper:

# %% tags=["on-slide"]
for rate in (0.5, 0.9):
    R, U1, _, _ = example("MATCH-UNIQUE").atoms(values=10, rate=rate)
    print(f"match rate {rate:.0%}: {R:.3f} of {R + U1:.3f} bits redundant, {R / (R + U1):.0%}")

# %% [markdown]
# ## The law and the draw
# The paper's data set, its 4,096 test pairs: with the shape added to both sources, some of
# texture 1 turns redundant. Why? Only 200 combinations are left for testing, so each shape comes
# with some textures more than with others, and the other image shows the shape. A data set
# therefore states the atoms of the pairs it holds (`trifeature info`), with sources named.

# %%
settings = preset("paper", seed=1)
tables = plan_images(settings)
truth = ground_truth(settings, tables, plan_pairs(settings, tables))
for row in truth["rows"]:
    if row["set"] == "test" and row["task"] in ("unique1", "synergy"):
        sources = " | ".join(" + ".join(source) for source in row["sources"])
        R, U1, S = (abs(row[atom]) for atom in ("redundancy", "unique1", "synergy"))
        print(f"{row['target']:9} R {R:.3f}  U1 {U1:.3f}  S {S:.3f}   from {sources}")

# %% [markdown] tags=["slide"]
# # Exercises

# %% [markdown]
# Put your answer in the place of the dots and run the cell; each exercise has a hint to unfold.

# %% [markdown] tags=["on-slide"]
# **2.1** Write the rule of another game: the images of a pair share their *color*, each has its
# own *shape*, and the map ties the shape of image 1 to the texture of image 2. (`PairRule` says
# what its settings are: run `PairRule?`.)
#
# <details><summary>Hint</summary>
#
# Three settings, three phrases of the exercise. The two names of `synergy` have an order: the
# first is read off image 1, the second off image 2.
#
# </details>

# %% tags=["exercise"]
my_rule = ...  # PairRule(shared=..., unique=..., synergy=(..., ...))

checks.exercise_2_1(my_rule)

# %% [markdown] tags=["on-slide"]
# **2.2** At which match rate does the match label hold the most information? What does it cost?
#
# <details><summary>Hint</summary>
#
# The label is a yes or no. When is a yes or no hardest to guess? The cost is in the picture
# above: what happens to texture 1 at that rate?
#
# </details>

# %% tags=["exercise"]
rate = ...

checks.exercise_2_2(rate)


# %% [markdown] tags=["on-slide"]
# **2.3** Write the synergy label yourself. An image is a row (shape, texture, color) of numbers;
# `partners[t]` is the color that goes with texture t.
#
# <details><summary>Hint</summary>
#
# Say it in words first: *take the texture of image 1, look up its partner, compare with the
# color of image 2*. Counting starts at 0: the texture of an image is its element 1.
#
# </details>


# %% tags=["exercise"]
def keeps_the_map(image1, image2, partners):
    """Whether the color of image 2 is the partner of the texture of image 1."""
    ...


checks.exercise_2_3(keeps_the_map)

# %% [markdown] tags=["on-slide"]
# **2.4** With *ten* values of each attribute and unbiased pairs: which plain accuracy and which
# macro accuracy has a model that always says "no match"?
#
# <details><summary>Hint</summary>
#
# Plain accuracy is the share of *pairs* that are answered rightly. Macro accuracy is the mean of
# two shares: of the pairs that match, and of those that do not.
#
# </details>

# %% tags=["exercise"]
plain_and_macro = ...  # (plain, macro), each from 0 to 1

checks.exercise_2_4(plain_and_macro)

# %% [markdown]
# ---
# **Next:** [3 · Why aligning modalities loses U and S](03-alignment.ipynb). Make a data set on
# disk: `trifeature generate --preset quick OUT`, then `trifeature info OUT`.
