# %% [markdown] tags=["slide"]
# # 5 · Your own data
#
# *You have two feature matrices, from a microphone and a camera, say, or from two networks, and a
# label for each pair of rows. What does either tell about the label, and what do only both? And
# which of the answers can you believe?*

# %% [markdown] tags=["goals", "slide"]
# ## After this notebook you can
#
# * turn two matrices, labels and people into a study, and read its verdicts: yes, no, open;
# * tell what a probe reads from what the data hold, and noisy looks that add up from synergy;
# * find the two faults that spoil most such studies: people on both sides of the split, and
#   "open" taken for "no".
#
# **Time:** 65 minutes: 30 to read and run, 35 for the exercises.
#
# **Before:** notebook 1; a first course in machine learning helps.

# %%
# %matplotlib inline
import csv
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import checks
import trifeature as tf
from trifeature.pid import ATOM_NAMES
from trifeature.plots import ATOM_COLORS, STYLE

plt.rcParams.update(STYLE)

# %% [markdown] tags=["slide"]
# ## Start with data of which you know the truth
# A stand-in for your files: 1,200 events, heard by a microphone and seen by a camera, eight noisy
# channels each. Hidden in them:
#
# * a bit **r** that both show,
# * a bit **u** that only the microphone shows,
# * bits **s1** and **s2**, one to each.
#
# Three labels are asked about: r, u, and whether s1 and s2 *differ*.

# %% [markdown]
# Before any method is let loose on unknown data, it should find what was put into known data.

# %%
rng = np.random.default_rng(7)
COUNT = 1200
r, u, s1, s2 = rng.integers(0, 2, size=(4, COUNT))


def sensor(*bits):
    """Eight noisy channels, each a random mixture of the bits."""
    signs = 2 * np.stack(bits, axis=1) - 1
    return signs @ rng.normal(size=(len(bits), 8)) + 0.2 * rng.normal(size=(len(signs), 8))


microphone, camera = sensor(r, u, s1), sensor(r, s2)

folder = Path(tempfile.mkdtemp())
for name, matrix in (("microphone", microphone), ("camera", camera)):
    heads = ",".join(f"channel{k}" for k in range(8))
    np.savetxt(folder / f"{name}.csv", matrix, delimiter=",", header=heads, comments="", fmt="%.4f")
with (folder / "labels.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["shared", "sound", "match"])
    writer.writerows(zip(r, u, s1 ^ s2, strict=True))

# %% [markdown]
# From here on, as with files of yours. Row k of each file belongs to event k. `read_own_files` says
# what it took for what; a quarter of the rows is held back for testing.

# %%
files = [folder / "microphone.csv", folder / "camera.csv"]
asked = tf.OwnFiles(labels=str(folder / "labels.csv"), label=("shared", "sound", "match"))
mine = tf.read_own_files(files, asked)
for modality in mine.modalities:
    print(f"{modality.name:10} {modality.kind} of {modality.shape[0]} numbers")
print({name: len(one) for name, one in mine.sets.items() if name != "probe"})

# %% [markdown] tags=["slide"]
# ## The study
# A **probe** is a small reader: a network or a regression that guesses the label from given
# features. A study fits three for each label, of the microphone, of the camera, and of both, and
# asks on held-out rows how many **bits** of the label's uncertainty each saves. From these it
# shares out R, U1, U2 and S, with 95 % intervals, and says *yes*, *no* or *open*.

# %% [markdown]
# `methods=()` means that no features are trained: yours are read as they are. From the command line
# the same is
# `comm-probe study microphone.csv camera.csv --labels labels.csv --method none --out report`.

# %%
found = tf.study(mine, methods=())
for row in found.of("conclusion"):
    print(f"{row['label']:7}", "  ".join(f"{atom}: {row[atom]}" for atom in ATOM_NAMES))


# %%
def verdicts(*studies):
    """Bars of what was read, with 95 % intervals, and the verdicts above; pale where not yes."""
    rows = [(one, row) for one in studies for row in one.of("conclusion")]
    figure, panels = plt.subplots(1, len(rows), figsize=(3.1 * len(rows), 2.7), sharey=True)
    for axes, (one, row) in zip(np.atleast_1d(panels), rows, strict=True):
        where = {key: row[key] for key in ("label", "sources", "features")}
        (bars,) = one.of("atoms", estimator="minimum", partners="as given", **where)
        for place, atom in enumerate(ATOM_NAMES):
            value, low, high = (bars["atoms"][atom][key] for key in ("value", "low", "high"))
            pale = 1.0 if row[atom] == "yes" else 0.35
            axes.bar(place, value, 0.7, color=ATOM_COLORS[place], alpha=pale)
            axes.vlines(place, low, high, color="black", linewidth=1.2)
            axes.text(place, 1.14, row[atom], ha="center", fontweight="bold" if pale == 1 else None)
        axes.set(title=f"about “{row['label']}”\n", ylim=(-0.1, 1.1))
        axes.set_xticks(range(4), ["R", *(f"U\n{name}" for name in row["sources"]), "S"])
    np.atleast_1d(panels)[0].set_ylabel("bits that a probe reads")
    figure.tight_layout()
    plt.show()


# %% tags=["on-slide"]
verdicts(found)

# %% [markdown]
# All three are what was planted: r is redundant, u unique to the microphone, and the match synergy.
# Each conclusion is also a paragraph that can be read aloud:

# %%
(match,) = found.of("conclusion", label="match")
print(*match["text"].split(". "), sep=".\n")

# %% [markdown] tags=["slide"]
# ## What the three words mean
#
# | word | means |
# |---|---|
# | **yes** | the interval lies above 0, it is not small, and a second estimator agrees |
# | **no** | the upper end is small |
# | **open** | these samples cannot decide |
#
# *Small* is below .02 bits or 5 % of the label's entropy, whichever is more. **Open is not no.**

# %% [markdown]
# ## Shuffled partners
# Synergy has a further condition. *Partners are shuffled within class*: every row of the camera
# keeps its label and gets the microphone's row of another event with this label. What each tells
# alone stays. What stands only in single pairs, who goes with whom, is lost. If the synergy
# survives, it was no more than two looks that add up. Compare the exclusive or with two doctors who
# look at the same patient, each wrong in one case of ten ([on the
# page](../playground/index.html#preset=two-looks)):

# %%
ill = rng.integers(0, 2, COUNT)
looks = [sensor(np.where(rng.random(COUNT) < 0.1, 1 - ill, ill)) for _ in range(2)]
doctors = tf.study(
    tf.Samples.from_arrays({"doctor 1": looks[0], "doctor 2": looks[1]}, {"ill": ill}), methods=()
)


def synergy_and_shuffle(one, label):
    """S of the minimum, bits, and what shuffling partners within class takes, with its interval."""
    (given,) = one.of("atoms", label=label, estimator="minimum", partners="as given")
    (apart,) = one.of("atoms", label=label, estimator="minimum", partners="shuffled within class")
    return given["atoms"]["synergy"]["value"], apart["lost"]


for one, label in ((found, "match"), (doctors, "ill")):
    S, lost = synergy_and_shuffle(one, label)
    (row,) = one.of("conclusion", label=label)
    taken = f"{lost['value']:.2f} [{lost['low']:.2f}, {lost['high']:.2f}]"
    print(f"{label:6} S {S:.2f} bits, the shuffle takes {taken}: synergy {row['synergy']}")

# %% [markdown] tags=["slide"]
# ## Two looks that add up
# Two doctors, each wrong in one case of ten: together they are surer than either, and in bits that
# is synergy. Shuffled partners are about as good: *any* two looks at *any* two ill patients add
# up. The study says **open**, because definitions differ in what to call it.

# %% tags=["on-slide"]
verdicts(doctors)

# %% [markdown] tags=["slide"]
# ## Real data: half a digit each
# 1,797 handwritten digits, 8 × 8 pixels. Modality 1 is the upper half of the picture, modality 2
# the lower. Is the digit even? Guess first: R, U or S?

# %%
digits = load_digits()
halves = {"upper": digits.images[:, :4], "lower": digits.images[:, 4:]}
halves = {name: pixels.reshape(len(pixels), -1) for name, pixels in halves.items()}
even = tf.study(tf.Samples.from_arrays(halves, {"even": digits.target % 2 == 0}), methods=())
verdicts(even)

# %% tags=["on-slide"]
figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
for place, estimator in enumerate(("minimum", "pointwise", "dual")):
    (row,) = even.of("atoms", estimator=estimator, partners="as given")
    for k, atom in enumerate(ATOM_NAMES):
        value = row["atoms"][atom]["value"]
        bar = axes.bar(place + 0.2 * k - 0.3, value, 0.19, color=ATOM_COLORS[k])
        axes.bar_label(bar, [f"{value:.2f}"], fontsize=7, padding=1)
axes.set_xticks(range(3), ["minimum", "pointwise", "dual"])
axes.axhline(0, color="black", linewidth=0.8)
axes.legend(axes.containers[:4], ["R", "U upper", "U lower", "S"], fontsize=8)
axes.set(ylabel="bits", title="three estimators, three ways to share out the same readings")
plt.show()

# %% [markdown]
# Most is redundant, and some stands only in the pair. That the lower half has something of its
# own is open: the minimum's interval is above 0, but the dual finds less than half of it. How
# much there is of each depends on who shares out. The *minimum* says that whatever the weaker
# half tells, the other tells too: its R and S are the **largest**, its U1 and U2 the **smallest**
# that any definition without negative parts allows. *Pointwise* takes this minimum picture by
# picture, the *dual* looks for two experts who may not talk to each other; both may go below 0,
# as here, and then R or S may be larger than the minimum's. Nobody knows the true
# atoms here, and there is no one number to know: a better reader would read more, another
# definition would share otherwise. So write: *a probe of pixels reads at most so much that both
# halves tell*. Never: the R of the data.

# %% [markdown] tags=["slide"]
# ## Fault 1: the same person in train and test
# Sixty people, twenty recordings each. Voice and face differ from person to person; each person's
# mood is a coin flip, so **nothing** about it can be told of new people. Below, the same arrays
# twice: rows split at random, then people split.

# %%
person = np.repeat(np.arange(60), 20)
mood = rng.integers(0, 2, 60)[person]
voice, face = (
    rng.normal(size=(60, 6))[person] + 0.3 * rng.normal(size=(len(person), 6)) for _ in range(2)
)
leaky, sound = (
    tf.study(
        tf.Samples.from_arrays({"voice": voice, "face": face}, {name: mood}, groups=groups),
        methods=(),
    )
    for name, groups in (("mood, rows split", None), ("mood, people split", person))
)

# %% tags=["on-slide"]
verdicts(leaky, sound)

# %% [markdown]
# On the left the readers learned who is who, and even "synergy" gets a yes. On the right nothing is
# left, and the intervals are honest about fifteen test people. `groups=` (`--group person` in the
# command) is the option that matters most; no statistic of the left study could have told you.

# %% [markdown] tags=["slide"]
# ## Fault 2: "open" read as "no"
# An exclusive or of one column in sixteen of each sensor, the others noise. From 240 rows the probe
# finds nothing, yet the study does not say no: an exclusive or can hide in any *pair* of columns,
# so it asks for as many fitted rows as 32² = 1,024.

# %%
a, b = rng.integers(0, 2, size=(2, 1600))


def buried(bit):
    """Sixteen columns, turned at random; one direction of them shows the bit."""
    columns = rng.normal(size=(len(bit), 16))
    columns[:, 0] = 2 * bit - 1 + 0.3 * columns[:, 0]
    return columns @ np.linalg.qr(rng.normal(size=(16, 16)))[0]


one, other = buried(a), buried(b)
few, many = (
    tf.study(
        tf.Samples.from_arrays({"one": one[:n], "other": other[:n]}, {f"{n:,} rows": (a ^ b)[:n]}),
        methods=(),
    )
    for n in (240, 1600)
)

# %% tags=["on-slide"]
verdicts(few, many)

# %%
print(*few.of("conclusion")[0]["text"].split(". ")[4:5])

# %% [markdown]
# ## The report
# `save` writes a folder with one page that opens without a network, and every number as a line.

# %%
page = found.save(folder / "report")
rows = (folder / "report" / "rows.jsonl").read_text().splitlines()
print(page.name, f"{page.stat().st_size / 1000:.0f} kB,", len(rows), "rows")

# %% [markdown]
# # Exercises
#
# **5.1** Two matrices, a mood for each row, and who was recorded. Write what turns them into
# samples that a study can be trusted on.
#
# <details><summary>Hint</summary>
#
# `tf.Samples.from_arrays` takes a dictionary of modalities and one of labels. Which of the four
# arguments must not be on both sides of a split?
#
# </details>


# %% tags=["exercise"]
def as_samples(sound, video, mood, person):
    """Samples from two arrays [P, F], P moods (words) and P people (numbers)."""
    ...


checks.exercise_5_1(as_samples)

# %% [markdown]
# **5.2** Your two files have fifteen columns each. How many rows do they need, at the least,
# before a study may say **no** to synergy?
#
# <details><summary>Hint</summary>
#
# Fault 2 names the rule for the rows that are *fitted* on. How many columns does the reader of both
# files see, and which share of your rows does it never see?
#
# </details>

# %% tags=["exercise"]
rows = ...

checks.exercise_5_2(rows)

# %% [markdown]
# **5.3** Three mysteries. `checks.your_data.mystery("A")` gives two feature matrices, labels, and
# who each row is from; B and C likewise. To which atoms does a study say **yes**?
#
# <details><summary>Hint</summary>
#
# Exercise 5.1 has all that you need. Look at the verdicts, not at the bars alone.
#
# </details>

# %% tags=["exercise"]
yes = {"A": ..., "B": ..., "C": ...}  # sets of "redundancy", "unique1", "unique2", "synergy"

checks.exercise_5_3(yes)

# %% [markdown] tags=["slide"]
# ## Which may be written?
# **5.4** Of the study of half digits and one whose synergy is open:
#
# a) The redundancy of the two halves is what the bar says.<br>
# b) A probe of pixels reads at most so much that both halves tell.<br>
# c) Synergy was open, so there is none.<br>
# d) By any definition without negative parts, what a probe reads is unique to the lower half to at
# least the U of the minimum, to within its interval.<br>
# e) The lower half makes a digit even.

# %% [markdown]
# Give the letters of all that may be written.
#
# <details><summary>Hint</summary>
#
# Who reads? Under which definition is it a bound? What does "open" say?
#
# </details>

# %% tags=["exercise"]
may_be_written = ...  # such as {"a", "c"}

checks.exercise_5_4(may_be_written)

# %% [markdown]
# ---
# **Next:** [6 · PID of noise](06-noise.ipynb). More: [a study of your own
# data](../guide/study.md).
