//! A host that doesn't trust the worker, which is none the wiser.

use ndarray::{Array1, Array2, Ix2};
use reedbed::{Tensor, Trust};

use crate::{Client, TestResult, program};

#[tokio::test]
async fn an_untrusted_python_worker_reads_what_is_shared_and_writes_copies() -> TestResult {
    let test = "an_untrusted_python_worker_reads_what_is_shared_and_writes_copies";
    let Some(builder) = program(test) else {
        return Ok(());
    };
    let worker = builder.trust(Trust::Untrusted).spawn().await?;
    let served: Client = worker.import().await?;
    let image = worker.zeros::<u16, _>((300, 200))?;
    let at = served.where_read(&image).forbid_copies().await?;
    let at = at.expect("it is mapped from somewhere");
    assert_eq!((at.inode, at.is_writable), (image.identity().inode, false));

    let mut labels = Tensor::<u32, Ix2>::zeros((3, 4))?;
    let (n, report) = served.fill(&mut labels, 7).reported().await?;
    assert_eq!((n, report.shared_bytes, report.copied_bytes), (12, 0, 96));
    assert_eq!(labels.view()?, Array2::from_elem((3, 4), 7));
    // In the frame, and in a segment; and what was given away may be kept.
    for n in [3, 50_000] {
        let values = Tensor::from(Array1::from_elem(n, 1.5));
        let back = served.pass_on(values).await?;
        assert_eq!(back.len(), n);
        served.keep(back).await?;
        assert_eq!(served.give_back().await?.len(), n);
        assert_eq!(served.range_of(n).await?.len(), n);
    }
    // A view that is kept beyond the call has nothing of the host's.
    let mut kept = Tensor::<u32, Ix2>::zeros((100, 200))?;
    assert!(served.keep_written(&mut kept, 5).await.is_err());
    served.scribble().await?;
    assert_eq!(kept.view()?.sum(), 0);
    Ok(())
}
