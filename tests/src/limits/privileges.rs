//! A host that may do no more than anybody.

use std::collections::BTreeSet;
use std::error::Error;

use reedbed::{Worker, WorkerLimits};
use rustix::process::Resource;
use rustix::thread::CapabilitySet;

use super::{limit, tell};
use crate::{system, watched};

/// A host without privileges gives its workers no more than it may have itself.
pub(super) async fn limits_beyond_ones_own(worker: &str) -> Result<(), Box<dyn Error>> {
    limit(Resource::Nofile, 100)?;
    let mut capabilities = rustix::thread::capabilities(None)?;
    let privileges = CapabilitySet::SYS_RESOURCE | CapabilitySet::SYS_NICE;
    capabilities.effective.remove(privileges);
    rustix::thread::set_capabilities(None, capabilities)?;
    let own = rustix::process::getpriority_process(None)?;
    let beyond = [
        WorkerLimits::new().open_files(101),
        WorkerLimits::new().niceness(own - 1),
    ];
    for limits in beyond {
        let spawned = Worker::builder(worker).limits(limits).spawn().await;
        tell(&format!("{:?}", spawned.err().ok_or("the limit was set")?));
        assert_eq!(watched::children(), BTreeSet::new());
    }
    let limits = WorkerLimits::new().open_files(100).niceness(own + 1);
    let worker = Worker::builder(worker).limits(limits).spawn().await?;
    assert_eq!(
        system::niceness(worker.id().ok_or("a process")?),
        [own + 1].into()
    );
    Ok(())
}
