"""Arrays that count how often they are brought to the host: a device without a device."""

import contextlib

import array_api_strict as strict
import numpy as np

DEVICE = strict.Device("device1")
HOST = strict.Device("CPU_DEVICE")
WAYS = ("__float__", "__bool__", "__int__", "__index__", "__complex__", "__array__", "__dlpack__", "__buffer__")


def on_device(x):
    """Return an array of array-api-strict on a device that is not the host's."""
    return strict.asarray(x, device=DEVICE)


def on_host(x):
    """Return such an array as one of NumPy."""
    return np.asarray(strict.asarray(x, device=HOST))


@contextlib.contextmanager
def counted():
    """Count every way in which an array on the device becomes something on the host; yields a list of the ways."""
    Array, seen = type(strict.asarray(0.0)), []
    kept = {name: getattr(Array, name) for name in WAYS}

    def counting(name):
        def call(self, *args, **options):
            if self.device == DEVICE:
                seen.append(name)
            return kept[name](self, *args, **options)

        return call

    for name in WAYS:
        setattr(Array, name, counting(name))
    try:
        yield seen
    finally:
        for name, method in kept.items():
            setattr(Array, name, method)
