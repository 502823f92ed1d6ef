//! Functions marked `#[reedbed(blocking)]`: they wait, and nobody waits for them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use reedbed::{Schema, Stub, Worker, remote_module};
use serde::{Deserialize, Serialize};
use tokio::join;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// What was handed over from one call to another.
#[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Plate(u32);

/// The way from one call to another.
#[derive(Debug)]
pub struct Hatch {
    inside: Sender<Plate>,
    outside: Mutex<Receiver<Plate>>,
}

impl Hatch {
    fn closed() -> Self {
        let (inside, outside) = channel();
        let outside = Mutex::new(outside);
        Self { inside, outside }
    }

    fn put_in(&self, plate: Plate) {
        self.inside.send(plate).expect("the other end is kept");
    }

    fn wait(&self) -> Plate {
        let outside = self.outside.lock();
        let plate = outside.unwrap_or_else(PoisonError::into_inner).recv();
        plate.expect("the other end is kept")
    }
}

/// Functions of a module.
#[remote_module]
pub mod plates {
    use std::sync::LazyLock;

    use super::{Hatch, Plate};

    static HATCH: LazyLock<Hatch> = LazyLock::new(Hatch::closed);

    /// Waits for a plate.
    #[reedbed(blocking)]
    pub fn next_plate() -> Plate {
        HATCH.wait()
    }

    /// Hands one over.
    pub fn put_in(plate: Plate) {
        HATCH.put_in(plate);
    }
}

#[remote_module]
impl Hatch {
    /// Makes one.
    #[reedbed(blocking)]
    pub fn install() -> Self {
        Self::closed()
    }

    /// Waits for a plate.
    #[reedbed(blocking)]
    pub fn next_plate(&self) -> Plate {
        self.wait()
    }

    /// Hands one over.
    pub async fn put(&self, plate: Plate) {
        self.put_in(plate);
    }
}

/// What can be called.
#[remote_module]
pub trait Robot {
    /// Makes one.
    fn new() -> Self;

    /// Waits for a plate.
    #[reedbed(blocking)]
    fn next_plate(&self) -> Plate;

    /// Hands one over.
    fn put(&self, plate: Plate);
}

/// Does it.
#[derive(Debug)]
pub struct Arm(Hatch);

impl Robot for Arm {
    fn new() -> Self {
        Self(Hatch::closed())
    }

    fn next_plate(&self) -> Plate {
        self.0.wait()
    }

    fn put(&self, plate: Plate) {
        self.0.put_in(plate);
    }
}

#[tokio::test]
async fn a_blocking_function_holds_up_no_other() -> TestResult {
    let worker = Worker::in_process(&[plates::MODULE]).await?;
    let plates = worker.import::<plates::Client>().await?;
    // In this order on the wire: who waits comes first.
    let (first, second, put, put_too) = join!(
        plates.next_plate(),
        plates.next_plate(),
        plates.put_in(Plate(1)),
        plates.put_in(Plate(2)),
    );
    put?;
    put_too?;
    let mut numbers = [first?.0, second?.0];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
    Ok(())
}

#[tokio::test]
async fn so_in_a_service() -> TestResult {
    let worker = Worker::in_process(&[Hatch::MODULE]).await?;
    let hatch = worker.import::<HatchClient>().await?.install().await?;
    let (plate, put) = join!(hatch.next_plate(), hatch.put(Plate(3)));
    put?;
    assert_eq!(plate?, Plate(3));
    Ok(())
}

#[tokio::test]
async fn so_behind_an_interface() -> TestResult {
    let worker = Worker::in_process(&[Arm::MODULE]).await?;
    let robot = worker.import::<RobotClient>().await?.new().await?;
    let (plate, put) = join!(robot.next_plate(), robot.put(Plate(4)));
    put?;
    assert_eq!(plate?, Plate(4));
    Ok(())
}

#[test]
fn a_mark_is_no_part_of_the_schema() {
    #[remote_module]
    mod plates {
        use super::Plate;

        pub fn next_plate() -> Plate {
            Plate(5)
        }

        pub fn put_in(plate: Plate) {
            assert_eq!(plate, Plate(6));
        }
    }
    assert_eq!(
        plates::Client::schema().hash(),
        crate::plates::Client::schema().hash()
    );
    assert_eq!(plates::next_plate(), Plate(5));
    plates::put_in(Plate(6));
}
