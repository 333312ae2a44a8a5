"""What the figures of one GPU mean, as checks: pure functions.

The law: a figure is held against what the driver says that this very GPU could do, and against the GPU's own last
proof; there is no table of models. Shares of a limit are of what was seen on healthy GPUs. A slow GPU that somebody
else used meanwhile is unknown; wrong results are a failure whoever used it. The reason is named where one is known.
"""

import math

from .causes import FAILED, UNKNOWN
from .figures import GROUPS, WORDS
from .nvml import SICK

PASSED = "passed"
LANE = {1: 0.25, 2: 0.5, 3: 0.985, 4: 1.969, 5: 3.938, 6: 7.563}
"""GB/s of one PCIe lane in one direction, by generation."""


def check(name, verdict, detail="", cause="", fix="", group=None):
    """One check, as those of the other levels; `group` is what to measure anew."""
    found = {"name": name, "verdict": verdict, "detail": detail, "cause": cause, "fix": fix}
    return dict(found, group=group) if group else found


def limits(gpu):
    """{figure: what the GPU could do at best}, of the driver's own words: clocks, bus width, multiprocessors, link."""
    about, found = gpu["about"], {}
    memory = 2 * about["memory_mhz"] * 1e6 * about["memory_bits"] / 8 / 1e9
    if memory:
        found.update({name: round(memory, 1) for name in ("memcpy_dtod", "write", "read")})
    for name, result in gpu["results"].items():
        if result["per_cycle"] > 0:
            # Units come in powers of two, and a good kernel uses nearly all of them.
            lanes = 2 ** math.ceil(math.log(result["per_cycle"] * 0.99, 2))
            found[name] = round(2 * about["multiprocessors"] * about["mhz"] * 1e6 * lanes / 1e12, 2)
    link = gpu.get("link") or {}
    if link.get("generation_max") in LANE and link.get("width_max"):
        both = round(LANE[link["generation_max"]] * link["width_max"], 1)
        found.update(htod=both, dtoh=both)
    return found


def checks(gpu, request, last):
    """All checks of one GPU. `request`: least (share of the limit by figure), slack (share under its last proof).
    `last`: {"figures", "results", "time"} of the last proof of this GPU in this mode, or None."""
    found = results(gpu, last) + _link(gpu) + _clocks(gpu) + _spread(gpu) + _load(gpu)
    told = {item["group"] for item in found if item.get("group")}
    for name in sorted(gpu["figures"]):
        if GROUPS[name] not in told:  # else the cause is told already
            found.append(_figure(gpu, name, request, last))
    return [_of_shared(gpu, item) for item in found]


def _of_shared(gpu, item):
    if item["verdict"] != FAILED or not gpu.get("shared") or item["name"].endswith(("results", "bits")):
        return item
    cause = "{}; {}".format(shared(gpu["shared"]), item["cause"])
    return dict(item, verdict=UNKNOWN, cause=cause, fix="run again when nobody uses the GPU")


def shared(pids):
    return "shared with PID {}".format(", ".join(map(str, pids)))


# -- right or wrong


def results(gpu, last):
    """The checks of what was computed and of the memory's bits."""
    found = []
    for name, result in sorted(gpu["results"].items()):
        title = "{} results".format(WORDS[name])
        before = (((last or {}).get("results") or {}).get(name) or {}).get("crc")
        if result["odd"]:
            places = ", ".join(map(str, result["odd"][:16]))
            cause = "{} computes wrongly: {} of {} blocks differ, on multiprocessor {}".format(
                WORDS[name], result["odd_blocks"], result["blocks"], places
            )
            fix = "drain the host and replace the GPU (RMA); nvidia-smi -q -d ECC shows more"
            found.append(check(title, FAILED, result, cause, fix))
        elif result["crc"] != (result["known"] or before or result["crc"]):
            cause = "{} computes wrongly on all multiprocessors: {} instead of {}".format(
                WORDS[name], result["crc"], result["known"] or before
            )
            fix = "reset the GPU or reboot; if it stays so: another driver, then replace the GPU"
            found.append(check(title, FAILED, result, cause, fix))
        elif result["multiprocessors"] != gpu["about"]["multiprocessors"]:
            cause = "{} of {} multiprocessors took part in {}".format(
                result["multiprocessors"], gpu["about"]["multiprocessors"], WORDS[name]
            )
            found.append(_unsure(gpu, title, cause))
        else:
            found.append(check(title, PASSED, result["crc"]))
    if gpu.get("pattern"):
        found.append(_bits(gpu["pattern"]))
    return found


def _unsure(gpu, title, cause):
    fix = "look for MPS and for other programs on the GPU, then dmesg | grep -i xid"
    return check(title, UNKNOWN, "", cause, fix)


def _bits(pattern):
    wrong = pattern["wrong"]
    if not wrong:
        return check("memory bits", PASSED, "{} bytes, each bit 0 and 1".format(pattern["bytes"]))
    first = wrong[0]
    cause = "the memory gives back wrong bits: {} units of 16 bytes, the first at offset {} of {}, bits {}".format(
        sum(item["units"] for item in wrong), first["offset"], pattern["bytes"], first["bits"]
    )
    fix = "drain the host; nvidia-smi -q -d ECC,ROW_REMAPPER; switch ECC on, or replace the GPU (RMA)"
    return check("memory bits", FAILED, wrong, cause, fix)


# -- why it is slow


def _link(gpu):
    link = gpu.get("link") or {}
    found = []
    for key, words in (("width", "x{} instead of x{}"), ("generation", "generation {} instead of {}")):
        now, best = link.get(key), link.get(key + "_max")
        if now and best and now < best:
            cause = "the PCIe link runs at {} under load".format(words.format(now, best))
            fix = "power the host off, seat the card and its riser anew; look at the slot, the BIOS and lspci -vv"
            found.append(check("PCIe link", FAILED, link, cause, fix, "link"))
    return found or ([check("PCIe link", PASSED, link)] if link.get("width") else [])


def _spread(gpu):
    """Multiprocessors that take longer than others for the same work."""
    plain = gpu["results"].get("fma32")
    if not plain or plain["spread"] < 1.1:
        return []
    cause = "multiprocessor {} takes {:.0f} % longer than the fastest for the same work".format(
        plain["slowest"], 100 * (plain["spread"] - 1)
    )
    return [check("multiprocessors", FAILED, plain["spread"], cause, FIXES["arithmetic"], "arithmetic")]


def _clocks(gpu):
    """The clock that the multiprocessors had, by their own count, and that of the memory."""
    found, about = [], gpu["about"]
    plain = gpu["results"].get("fma32")
    if plain and plain["mhz"] and about["mhz"] and plain["mhz"] < 0.95 * about["mhz"]:
        why, fix, fault = _why(gpu)
        cause = "the multiprocessors run at {} of {:.0f} MHz{}".format(plain["mhz"], about["mhz"], why)
        found.append(check("clock", FAILED if fault else PASSED, plain["mhz"], cause, fix, "arithmetic"))
    memory = gpu["nvml"]["after"].get("memory_mhz")
    best = gpu["nvml"]["after"].get("memory_mhz_max")
    if memory and best and memory < 0.95 * best:
        cause = "the memory runs at {} of {} MHz".format(memory, best)
        found.append(check("memory clock", FAILED, memory, cause, "nvidia-smi -rmc takes a memory lock away", "memory"))
    return found


def _why(gpu):
    """(words for the cause, what to do, is it a fault)."""
    reasons = set(gpu["nvml"]["after"]["reasons"]) | set((gpu.get("load") or {}).get("reasons") or ())
    sick = [name for name in SICK if name in reasons]
    if sick:
        return ": {}".format(", ".join(sick)), COOL, True
    if "application clocks" in reasons:
        return ": application clocks", "nvidia-smi -rac takes the application clocks away", True
    limit, usual = gpu["nvml"]["after"].get("power_limit"), gpu["nvml"]["after"].get("power_limit_default")
    if limit and usual and limit < usual:
        watts = ": power cap of {:.0f} W instead of {:.0f} W".format(limit / 1e3, usual / 1e3)
        return watts, "nvidia-smi -pl {:.0f}; or speed.least, where it is meant so".format(usual / 1e3), True
    if "software power cap" in reasons and _full_power(gpu):
        return ": software power cap at the GPU's own limit, which is no fault", "", False
    return "", "nvidia-smi -rgc takes a locked clock away; nvidia-smi -q -d CLOCK,PERFORMANCE shows more", True


COOL = "look at fans, airflow, heat sink, power supply and cables; nvidia-smi -q -d TEMPERATURE,POWER"


def _full_power(gpu):
    load, limit = gpu.get("load") or {}, gpu["nvml"]["after"].get("power_limit")
    return bool(load.get("watt_max") and limit and load["watt_max"] >= 0.9 * limit / 1e3)


def _load(gpu):
    load = gpu.get("load")
    if not load:
        return []
    sick = [name for name in SICK if name in load["reasons"]]
    if not sick:
        words = "{} W, {} degrees".format(load["watt"], load["celsius"])
        return [check("power and cooling", PASSED, words)]
    cause = "under load the GPU is slowed down by {} ({} degrees, {} W)".format(
        ", ".join(sick), load["celsius"], load["watt"]
    )
    return [check("power and cooling", FAILED, load, cause, COOL, "sustained")]


# -- the figures


def _figure(gpu, name, request, last):
    figure = gpu["figures"][name]
    best, unit = figure["best"], figure["unit"]
    limit, least = gpu["limits"].get(name), request["least"].get(name, 0)
    detail = {"best": best, "unit": unit, "limit": limit}
    if limit and best < least * limit:
        cause = "{} is slow: {:.4g} {}, {:.0f} % of the {:.4g} that this GPU could do (at least {:.0f} %)".format(
            WORDS[name], best, unit, 100 * best / limit, limit, 100 * least
        )
        return _slow(gpu, name, detail, cause)
    before = ((last or {}).get("figures") or {}).get(name)
    slack = request["slack"].get(name, 0.1)
    if before and best < (1 - slack) * before["best"]:
        cause = "{} is slower than in the last proof ({}): {:.4g} {} instead of {:.4g}, {:.0f} % less".format(
            WORDS[name], last["time"], best, unit, before["best"], 100 * (1 - best / before["best"])
        )
        return _slow(gpu, name, detail, cause)
    return check(WORDS[name], PASSED, detail)


def _slow(gpu, name, detail, cause):
    """The check of a slow figure, with the reason where one is known."""
    group, fix = GROUPS[name], FIXES[GROUPS[name]]
    if group in ("arithmetic", "sustained"):
        why, known, fault = _why(gpu)
        if why and fault:
            cause, fix = cause + why, known
    return check(WORDS[name], FAILED, detail, cause, fix, group)


def peer(gpu, usual, request, last):
    """The check of copies to other GPUs of the host; `usual`: GB/s of the median GPU here."""
    best = gpu["figures"]["peer"]["best"]
    if best >= 0.8 * usual:
        return _of_shared(gpu, _figure(gpu, "peer", request, last))
    cause = "GPU to GPU is slow: {:.4g} GB/s, where the others of this host do {:.4g}".format(best, usual)
    return _of_shared(gpu, check(WORDS["peer"], FAILED, gpu["figures"]["peer"], cause, FIXES["peer"]))


FIXES = {
    "peer": "nvidia-smi topo -m; nvidia-smi nvlink -s; look at bridges, baseboard and nvidia-fabricmanager",
    "memory": "run again when nobody has just freed memory; nvidia-smi -q -d ECC,ROW_REMAPPER,CLOCK; then replace it",
    "arithmetic": "nvidia-smi -q -d CLOCK,PERFORMANCE,POWER; look for locked clocks, heat and power",
    "sustained": "look at cooling and power: nvidia-smi -q -d TEMPERATURE,POWER,PERFORMANCE while it computes",
    "link": "lspci -vv: LnkSta against LnkCap; seat the card anew; look at the BIOS and at the host's memory",
}
