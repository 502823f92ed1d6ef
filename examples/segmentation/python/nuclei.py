"""Finds nuclei with scikit-image: threshold, distance transform, watershed."""

from dataclasses import dataclass

import numpy as np
from reedbed_worker import Module, Own, Read, Write, empty, serve, u32, u64
from scipy import ndimage
from skimage import feature, filters, measure, morphology, segmentation

nuclei = Module("scikit", "Finds nuclei in fluorescence images.")


@dataclass
class Object:
    id: u32
    area_px: u64
    centroid_row: float
    centroid_col: float
    mean_intensity: float


def watershed(image: np.ndarray) -> np.ndarray:
    """The number of the object that each pixel belongs to, 0 for none."""
    smooth = filters.gaussian(image, sigma=1, preserve_range=True)
    surroundings = filters.threshold_local(smooth, block_size=51)
    mask = smooth > np.maximum(surroundings, 0.8 * filters.threshold_otsu(smooth))
    mask = morphology.remove_small_objects(ndimage.binary_fill_holes(mask), max_size=30)
    distance = filters.gaussian(ndimage.distance_transform_edt(mask), sigma=2)
    peaks = feature.peak_local_max(distance, min_distance=9, labels=measure.label(mask), exclude_border=False)
    markers = np.zeros(image.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return segmentation.watershed(-distance, markers, mask=mask)


@nuclei.function(raises=True)
def segment(image: Read["u2", 2]) -> tuple[Own["u4", 2], u64]:
    """Returns the labels and the number of objects."""
    labels = empty(image.shape, "u4")
    return labels, segment_into(image, labels)


@nuclei.function(raises=True)
def segment_into(image: Read["u2", 2], labels: Write["u4", 2]) -> u64:
    """Labels the objects of `image` in `labels`; returns how many there are."""
    labels[...] = watershed(image)
    return int(labels.max())


@nuclei.function(raises=True)
def measure_objects(image: Read["u2", 2], labels: Read["u4", 2]) -> list[Object]:
    """Measures the objects of a label map, in the order of their numbers."""
    regions = measure.regionprops(labels.astype(np.int32), intensity_image=image)
    return [Object(r.label, int(r.area), *map(float, r.centroid), float(r.mean_intensity)) for r in regions]


if __name__ == "__main__":
    serve(nuclei)
