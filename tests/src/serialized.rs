//! Functions on what serde writes.

use reedbed::remote_module;

/// Functions on serde values.
#[remote_module]
pub mod values {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::ops::Range;
    use std::time::Duration;

    use reedbed::{Schema, SharedCell};
    use serde::{Deserialize, Serialize};

    /// A point in the plane.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Schema)]
    pub struct Point {
        /// To the right.
        pub x: f64,
        /// Upwards.
        pub y: f64,
    }

    /// Why there is no quotient.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, thiserror::Error)]
    pub enum DivideError {
        /// The divisor was zero.
        #[error("{dividend} can't be divided by zero")]
        ByZero {
            /// What was to be divided.
            dividend: i64,
        },
    }

    /// Returns what it gets.
    pub fn echo(text: String) -> String {
        text
    }

    /// Returns what it gets.
    pub fn echo_bytes(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    /// Returns the number of bytes.
    pub fn length(text: &str) -> usize {
        text.len()
    }

    /// Divides.
    pub fn divide(dividend: i64, divisor: i64) -> Result<i64, DivideError> {
        dividend
            .checked_div(divisor)
            .ok_or(DivideError::ByZero { dividend })
    }

    /// Moves a point.
    pub async fn shift(point: Point, by: Point) -> Point {
        tokio::task::yield_now().await;
        Point {
            x: point.x + by.x,
            y: point.y + by.y,
        }
    }

    /// Makes so many bytes.
    pub fn zeros(n_bytes: usize) -> Vec<u8> {
        vec![0; n_bytes]
    }

    /// Does nothing.
    pub fn nothing() {}

    /// A type inside itself.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
    pub struct Tree {
        /// Its parts.
        pub children: Vec<Tree>,
    }

    /// Returns the number of trees from the root to the first leaf.
    pub fn depth(tree: Tree) -> usize {
        let (mut depth, mut tree) = (1, tree);
        while !tree.children.is_empty() {
            tree = tree.children.swap_remove(0);
            depth += 1;
        }
        depth
    }

    /// An enum of every kind of variant.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
    pub enum Shape {
        /// Nothing.
        Empty,
        /// A disk of this radius.
        Disk(f32),
        /// A rectangle.
        Box {
            /// From left to right.
            width: f32,
            /// From top to bottom.
            height: f32,
        },
    }

    /// A struct of every kind of field.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
    #[expect(missing_docs, reason = "the fields are what their types are")]
    pub struct Survey {
        pub origin: Point,
        pub names: BTreeMap<String, i16>,
        pub shapes: Vec<Shape>,
        pub colour: [u8; 3],
        pub initial: char,
        pub widest: u128,
        pub lowest: i128,
        pub takes: Duration,
        pub lines: Range<u32>,
        pub address: SocketAddr,
        pub is_done: (bool, ()),
        pub nested: Option<Box<Survey>>,
        pub outcome: Result<u8, String>,
    }

    impl Default for Survey {
        fn default() -> Self {
            Self {
                origin: Point { x: 0.0, y: 0.0 },
                names: BTreeMap::new(),
                shapes: Vec::new(),
                colour: [0; 3],
                initial: 'a',
                widest: 0,
                lowest: 0,
                takes: Duration::ZERO,
                lines: 0..0,
                address: SocketAddr::from(([127, 0, 0, 1], 80)),
                is_done: (false, ()),
                nested: None,
                outcome: Ok(0),
            }
        }
    }

    /// Returns the survey with the shape, if there is one, at the end.
    pub fn survey(mut survey: Survey, shape: Option<Shape>) -> Survey {
        survey.shapes.extend(shape);
        survey
    }

    /// Seconds, as a number of nanoseconds.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Schema)]
    #[serde(from = "u64", into = "u64")]
    #[schema(opaque = "1")]
    pub struct Seconds(pub f64);

    impl From<u64> for Seconds {
        fn from(nanos: u64) -> Self {
            Self(Duration::from_nanos(nanos).as_secs_f64())
        }
    }

    impl From<Seconds> for u64 {
        fn from(seconds: Seconds) -> Self {
            let nanos = Duration::from_secs_f64(seconds.0).as_nanos();
            u64::try_from(nanos).unwrap_or(u64::MAX)
        }
    }

    /// Returns a second more.
    pub fn later(seconds: Seconds) -> Seconds {
        Seconds(seconds.0 + 1.0)
    }

    /// Counts a shared cell up.
    pub fn count_up(#[segment] counter: SharedCell<u64>, n: u64) {
        counter.fetch_add(n);
    }

    /// Returns how many there are.
    pub fn count(units: Vec<()>) -> usize {
        units.len()
    }
}
