"""Every default of the program, as frozen dataclasses."""

from dataclasses import dataclass, field, fields

from metagan_cli.errors import UsageError

SIZES = (32, 64, 128)
LEARNERS = ("attention", "rnn", "gradient")
ALGORITHMS = ("maml", "fomaml", "reptile", "meta-sgd")
EXEMPLARS = ("prototype", "random")
GUESTS = ("others", "bank")  # whose drawings new members are judged from
INNER_LOSSES = ("minimax", "non-saturating", "relativistic", "wasserstein")
DEPTHS = ("state", "modulation", "all")  # what an adaptation may change, each with what stands before it
FITS = ("auto", "pad", "crop", "fill")  # how images become square: by what they are, padded, cropped, or cut to one shape
FORMATS = ("png", "webp", "jpg", "svg")  # of single samples
PRECISIONS = ("auto", "fp32", "bf16")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(message)


def _require_exemplar(kind: str) -> None:
    _require(kind in EXEMPLARS, f"exemplar must be one of {', '.join(EXEMPLARS)}, not '{kind}'")


@dataclass(frozen=True)
class ModelConfig:
    """The architecture: what a model file needs to be rebuilt."""

    image_size: int = 32  # pixels a side
    channels: int = 1  # 1 gray, 3 colour
    learner: str = "attention"  # what turns a support set into a task state
    algorithm: str = "meta-sgd"  # of the gradient learner
    learner_width: int = 192  # features of the attention learner's own network
    inner_loss: str = "relativistic"  # what the inner game is played for
    inner_energy: float = 1.0  # weight of the energy distance in the min player's inner loss
    inner_perception: float = 0.0  # and of the same by the perceptual net's features, which the model then carries
    feed_forward: bool = True  # whether the generator sees support images; else inner steps alone tell it of them
    latent: int = 64  # size of z
    fine: int = 24  # channels of the layers at half the image size
    width: int = 64  # channels at 16x16
    tokens: int = 128  # channels at 8x8, and of the support tokens
    style: int = 256  # size of the modulation code w
    pack: int = 2  # samples of one task that the critic sees at once
    critic_tokens: int = 160  # channels of the critic at 8x8
    guests: bool = False  # whether it also starts from guests: motifs by other hands

    def __post_init__(self) -> None:
        _require(self.image_size in SIZES, f"image_size must be one of {', '.join(map(str, SIZES))}")
        _require(self.channels in (1, 3), "channels must be 1 or 3")
        _require(self.learner in LEARNERS, f"unknown learner '{self.learner}': use {', '.join(LEARNERS)}")
        _require(self.algorithm in ALGORITHMS, f"unknown algorithm '{self.algorithm}': use {', '.join(ALGORITHMS)}")
        _require(self.inner_loss in INNER_LOSSES, f"inner_loss must be one of {', '.join(INNER_LOSSES)}")
        _require(min(self.inner_energy, self.inner_perception) >= 0, "inner_energy and inner_perception must not be negative")
        limits = {"latent": 512, "fine": 128, "width": 512, "tokens": 1024, "style": 2048}
        limits |= {"critic_tokens": 1024, "learner_width": 1024}
        for name, most in limits.items():
            _require(8 <= getattr(self, name) <= most, f"{name} must be between 8 and {most}")
        _require(self.learner_width % 4 == 0, "learner_width must be a multiple of 4")
        for name in ("width", "tokens"):
            _require(getattr(self, name) % 32 == 0, f"{name} must be a multiple of 32")
        _require(1 <= self.pack <= 8, "pack must be between 1 and 8")


@dataclass(frozen=True)
class VariationRules:
    """What decides, beside the weights, how far a model's samples go from their support images.

    A model carries its own in its metadata. Those of a file that says none are the defaults below, so these never change:
    a model that is tuned otherwise says so in its recipe.
    """

    warp: float = 0.06
    """Deviation of a random warp where nothing is learned yet, in half sides."""
    warp_most: float = 0.27
    """Its largest deviation."""
    predicted_share: float = 0.3
    """What counts of a predicted flow and affine map, both in half sides."""
    jitter: tuple[float, ...] = (0.3, 0.2, 0.2)
    """Deviations of a random change of hue (radians), saturation and lightness (logarithms) where nothing is learned yet."""
    jitter_most: tuple[float, ...] = (2.0, 0.5, 0.5)
    """Their largest deviations; the last also bounds a whole change of lightness."""
    swap: float = 0.5
    """Deviation of the maps by which parts are swapped at random where nothing is learned yet."""
    swap_most: float = 3.0
    """Its largest deviation."""
    swap_from: float = 0.75
    """The value of such a map from which a part is another image's."""
    swap_sharpness: float = 20.0
    """How sharply gradients see that value."""
    shared_edges: tuple[float, ...] = (0.1, 0.25)
    """Shares of common edges up to which images only warp, and from which they only swap parts."""
    same_colour: float = 0.02
    """Deviations of colour and of lightness in a folder below which they change less."""
    textured_share: float = 0.25
    """What is left of the warp where textures share edges, as no part of one fits into another."""
    several_share: float = 0.6
    """What is left of warp and tint where there are several images to start from."""
    filled_share: float = 0.5
    """And what of that where pictures fill their squares, as photographs do."""
    tint_shows: float = 0.05
    """Strength of colour, and distance from black and white, of a ground that a tint would show on."""
    part_difference: float = 0.35
    """Difference of a channel, in [-1, 1], that makes a part of two pictures one of its own."""
    part_most: float = 0.35
    """Share of a picture that is more than a part of it: nothing so large is swapped."""
    part_margin: float = 0.06
    """And the one that goes with such a part."""
    repaint: tuple[float, ...] = (1.0, 0.0)
    """What counts of the residual that is painted over the warped image, without colours and with."""
    recolour_agreement: float = 0.5
    """Share of a colour's places that have one colour in the other picture, for it to become that."""

    def __post_init__(self) -> None:
        _require(len(self.jitter) == len(self.jitter_most) == 3, "jitter and jitter_most need three numbers each")
        _require(len(self.shared_edges) == len(self.repaint) == 2, "shared_edges and repaint need two numbers each")


INNER_GAME = ("inner_loss", "inner_energy", "inner_perception")
# what the shapes of encoder, generator and critic do not depend on
LEARNING = ("learner", "algorithm", "learner_width", *INNER_GAME, "feed_forward", "pack", "guests")


def same_networks(one: ModelConfig, other: ModelConfig) -> bool:
    """Whether one model's weights fit into the other's networks, but for the size of the critic's packs; learners may differ."""
    return all(getattr(one, f.name) == getattr(other, f.name) for f in fields(ModelConfig) if f.name not in LEARNING)


@dataclass(frozen=True)
class DataConfig:
    """One source of tasks, and its share of the episodes."""

    source: str = "doodles"  # a folder of task folders, a .npz file or a built-in name
    weight: float = 1.0  # share of the tasks drawn from it
    by: tuple[str, ...] = ()  # npz keys whose combinations are the tasks, instead of its labels
    shows: str = ""  # npz key of what is drawn: the tasks are hands then, whose motifs guests bring
    motif: str = "one"  # "one" motif in many drawings, or "many" motifs of one hand
    exclude: tuple[str, ...] = ()  # tasks whose name starts with one of these are left out
    only: tuple[str, ...] = ()  # where given, all tasks but those whose name starts with one of these are
    skip_bad: bool = False  # go on without images of a folder that cannot be read
    licence: str = ""  # for the model card

    def __post_init__(self) -> None:
        _require(self.weight > 0, f"weight of {self.source} must be positive")
        _require(self.motif in ("one", "many"), f"motif of {self.source} must be 'one' or 'many'")


@dataclass(frozen=True)
class TrainConfig:
    """The outer loop."""

    steps: int = 20_000  # outer steps
    seed: int = 0
    shots: tuple[int, ...] = (1, 2, 3, 5)  # support sizes, drawn evenly: repeat one to draw it more often
    exemplar: str = "random"  # the image that one-shot episodes show: any, or the most typical to the perceptual net
    queries: int = 8  # held-out images a task
    tasks_per_batch: int = 8
    inner_steps: int = 4  # most inner adversarial steps of an episode
    inner_share: float = 0.3  # share of the episodes that take inner steps, where the learner can do without them
    first_order: float = 0.0  # share of the outer steps that MAML takes in first order, before the others
    generator_rate: float = 1e-4  # Adam, beta1 0
    critic_rate: float = 5e-4  # Adam, beta1 0.5
    final_rate: float = 0.1  # both rates end at this share of their start
    decay_from: float = 0.5  # the rates fall linearly from this share of the steps on
    energy: float = 2.0  # weight of the samples' energy distance from the queries, beside the critic
    perception: float = 0.0  # and of the same by the perceptual net's features; 0 does without that net
    middle: float = 0.0  # weight, within that, of the squared distance between the means of samples and queries
    critic: float = 0.0  # weight of the critic in what guests are painted for
    decision: float = 0.3  # weight, from half of the steps on, of how far the pixels of guests are from being of one paint
    even: float = 0.0  # weight of how much the way in which paints are chosen changes from place to place
    painter: str = ""  # a gray model, as whose painter of guests a new one in colour begins
    program: float = 0.35  # share of the hands that paint guests that are drawn by program
    blemishes: float = 1.0  # weight of telling real images from blemished ones in the critic's loss
    penalty: float = 1.0  # starting weight of the critic's noise penalty
    drift: float = 0.05  # weight of the critic's squared margin
    penalty_share: float = 0.34  # share of the packs that it is measured on
    penalty_noise: float = 0.05  # standard deviation of the noise that it adds
    head_start: int = 40  # steps that the critic learns alone at the beginning
    ema: float = 0.998  # decay of the weights that ship
    precision: str = "auto"
    every: int = 250  # steps between checkpoints and previews
    keep: int = 2  # checkpoints kept for resuming

    def __post_init__(self) -> None:
        _require(self.steps >= 1, "steps must be at least 1")
        _require(len(self.shots) > 0 and min(self.shots) >= 1, "shots must be positive numbers")
        _require(max(self.shots) <= 32, "shots must be at most 32")
        _require_exemplar(self.exemplar)
        _require(self.exemplar == "random" or self.perception > 0, "exemplar prototype needs perception above 0")
        _require(self.queries >= 1, "queries must be at least 1")
        _require(self.tasks_per_batch >= 1, "tasks_per_batch must be at least 1")
        _require(self.inner_steps >= 0, "inner_steps must not be negative")
        _require(0 <= self.first_order <= 1, "first_order must be between 0 and 1")
        _require(self.precision in PRECISIONS, f"precision must be one of {', '.join(PRECISIONS)}")
        _require(self.every >= 1 and self.keep >= 1, "every and keep must be at least 1")


@dataclass(frozen=True)
class AdaptConfig:
    """One adaptation."""

    base: str = "auto"  # a shipped model's name, a file, or chosen by what the folder holds
    learner: str | None = None  # refuse a base with another
    steps: int = 4  # inner adversarial steps after the feed-forward one
    depth: str = "auto"  # one of DEPTHS, or as deep as held-out images say, for folders far from the base's tasks
    packs: int = 8  # packs of samples that an inner step looks at
    budget: float | None = None  # seconds after which no further inner step begins
    fit: str = FITS[0]  # auto pads drawings on a plain ground and pixel art; what reaches its border, as photographs, it fills
    skip_bad: bool = False  # go on without images that cannot be read
    frames: bool = False  # take all frames of animations, not the first of each
    standalone: bool = False  # embed the base in the adapted file
    compact: bool = False  # keep the examples at the model's size only
    strip: bool = False  # leave names and paths out of the adapted file
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.depth in ("auto", *DEPTHS), f"--depth {self.depth}: use auto, {', '.join(DEPTHS)}")
        _require(self.fit in FITS, f"--fit {self.fit}: use {', '.join(FITS)}")


@dataclass(frozen=True)
class SampleConfig:
    """One picture of samples."""

    count: int = 64
    seed: int = 0
    truncation: float = 1.0
    size: str = "auto"  # the folder's own, but at most 1,024 pixels, and 256 in a sheet
    scale: int = 1
    format: str = "png"  # of single files


@dataclass(frozen=True)
class AugmentConfig:
    """New images for the classes of a tree."""

    count: int = 50  # of each class
    per_class: int | None = None  # fill each class up to so many instead, originals counted
    seed: int = 0
    truncation: float = 1.0
    size: str = "auto"  # the images' own, but at most 1,024 pixels
    format: str = "png"
    drop_copies: bool = False  # leave out what is nearly an original
    least: float = 0.5  # share of a labelled thing that is left, below which it is dropped

    def __post_init__(self) -> None:
        _require(0 <= self.least <= 1, "--least: a share, from 0 to 1")


@dataclass(frozen=True)
class EvaluateConfig:
    """One evaluation."""

    shots: tuple[int, ...] = (1, 5)
    tasks: int = 64  # at most
    samples: int = 20  # a task
    steps: int = 4  # inner steps
    exemplar: str = "prototype"  # the first support image: each task's most typical one, or any
    guests: str = "others"  # whose drawings of motifs new members start from: those of other hands, or of the bank
    seed: int = 0

    def __post_init__(self) -> None:
        _require_exemplar(self.exemplar)
        _require(self.guests in GUESTS, f"guests {self.guests}: use {' or '.join(GUESTS)}")


@dataclass(frozen=True)
class Recipe:
    """All of a meta-training run: the TOML file of `meta-train --config`."""

    name: str = ""  # the name in the model's metadata
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    data: tuple[DataConfig, ...] = (DataConfig(),)
    variation: VariationRules = field(default_factory=VariationRules)

    def __post_init__(self) -> None:
        _require(len(self.data) > 0, "data must name a source of tasks")
        _require(self.train.queries % self.model.pack == 0, f"queries must be a multiple of pack ({self.model.pack})")
