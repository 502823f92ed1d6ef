//! The worker: a process that serves [`segmentation::nuclei`].

reedbed_worker::worker_main![segmentation::nuclei];
