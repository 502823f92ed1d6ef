//! The worker: a process that serves [`segmentation::nuclei`] and [`segmentation::Segmenter`].

reedbed_worker::worker_main![segmentation::nuclei, segmentation::Segmenter];
