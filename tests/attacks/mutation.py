"""Valid messages as trees, and mutations by kind of part."""

from dataclasses import dataclass, replace

NUMBERS = (0, 1, 2, 4, 7, 8, 127, 128, 255, 256, 1000, 32767, 32768, 65535, 65536, (1 << 24) - 1)
NUMBERS += ((1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)
TEXTS = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"'",
    b'"',
    b"$1",
    b"--",
    b"/*",
    b"%00",
    b"\r\n",
    b"\r\n\r\n",
    b"(" * 100,
)
TEXTS += (
    b"9" * 400,
    "é€😀".encode(),
    b"\xc0\x80",
    b"NaN",
    b"-1",
    b"1e999",
    b"x" * 20_000,
    b"../" * 9,
)
REPEATS_MAX = 200


@dataclass(frozen=True)
class Bytes:
    value: bytes

    def encode(self):
        return self.value


@dataclass(frozen=True)
class Number:
    """A number of so many bytes, the highest first."""

    value: int
    width: int

    def encode(self):
        return (self.value % (1 << 8 * self.width)).to_bytes(self.width, "big")


@dataclass(frozen=True)
class Parts:
    parts: tuple

    def encode(self):
        return b"".join(part.encode() for part in self.parts)


@dataclass(frozen=True)
class Sized:
    """Content behind its length, as `coded`, with `between` them what does not count.

    `counted` is added to the length, `lie` is how far a mutation has put it off.
    """

    content: object
    coded: object
    counted: int = 0
    between: object = Bytes(b"")
    lie: int = 0

    def encode(self):
        content = self.content.encode()
        length = max(0, len(content) + self.counted + self.lie)
        return self.coded(length) + self.between.encode() + content


def parts(*given):
    return Parts(tuple(Bytes(one) if isinstance(one, bytes) else one for one in given))


def big_endian(width):
    return lambda length: (length % (1 << 8 * width)).to_bytes(width, "big")


def mutated(random, tree, times):
    for _ in range(times):
        tree = once(random, tree)
    return tree


def once(random, tree):
    """The tree with one of its parts changed; inner parts more often than the whole."""
    if isinstance(tree, Sized):
        choice = random.random()
        if choice < 0.2:
            return replace(tree, lie=random.choice((-9, -4, -1, 1, 4, 9, random.choice(NUMBERS))))
        if choice < 0.3:
            return replace(tree, between=once(random, tree.between))
        return replace(tree, content=once(random, tree.content))
    if isinstance(tree, Parts):
        if tree.parts and random.random() < 0.8:
            place = random.randrange(len(tree.parts))
            changed = once(random, tree.parts[place])
            return Parts((*tree.parts[:place], changed, *tree.parts[place + 1 :]))
        return rearranged(random, tree)
    if isinstance(tree, Number):
        return replace(
            tree, value=random.choice((*NUMBERS, tree.value - 1, tree.value + 1, -tree.value))
        )
    return Bytes(changed_bytes(random, tree.value))


def rearranged(random, tree):
    listed = list(tree.parts)
    place = random.randrange(len(listed) + 1)
    other = random.choice(listed) if listed else Bytes(random.choice(TEXTS))
    match random.randrange(5):
        case 0:
            del listed[place : place + random.randrange(1, 3)]
        case 1:
            listed.insert(place, other)
        case 2:
            random.shuffle(listed)
        case 3:
            listed[place:place] = [other] * random.randrange(2, REPEATS_MAX)
        case 4:
            listed.insert(place, Bytes(random.choice(TEXTS)))
    return Parts(tuple(listed))


def changed_bytes(random, value):
    place = random.randrange(len(value) + 1)
    match random.randrange(7):
        case 0:
            return value[:place]
        case 1:
            return value[:place] + random.choice(TEXTS) + value[place:]
        case 2:
            return value[:place] + random.randbytes(random.randrange(1, 9)) + value[place:]
        case 3 if value:
            flipped = bytearray(value)
            flipped[place % len(value)] ^= 1 << random.randrange(8)
            return bytes(flipped)
        case 4:
            # Numbers of flatbuffers and of values in binary form are aligned, the lowest byte first.
            width = random.choice((1, 2, 4, 8))
            place -= place % width
            number = random.choice(NUMBERS) % (1 << 8 * width)
            return value[:place] + number.to_bytes(width, "little") + value[place + width :]
        case 5:
            return value[:place] + value[place + random.randrange(1, 9) :]
        case _:
            return random.choice(TEXTS)
