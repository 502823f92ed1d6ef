//! Values as bytes: little-endian, without names, types or padding.

/// Bytes that are being put together.
#[derive(Clone, Debug, Default)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    /// Begins with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a `u8`, a `bool` (0, 1), or what begins an option (0, 1).
    #[must_use]
    pub fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    /// Adds a `u32`, or the number of an enum's variant.
    #[must_use]
    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Adds a `u64`, or the length of a list.
    #[must_use]
    pub fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Adds an `i64`.
    #[must_use]
    pub fn i64(self, value: i64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Adds an `f64`.
    #[must_use]
    pub fn f64(self, value: f64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Adds a string, or bytes with their length.
    #[must_use]
    pub fn run(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.u64(bytes.len() as u64).raw(bytes)
    }

    /// Adds a list.
    #[must_use]
    pub fn list<T>(self, elements: &[T], add: impl Fn(Self, &T) -> Self) -> Self {
        elements.iter().fold(self.u64(elements.len() as u64), add)
    }

    /// The bytes.
    #[must_use]
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes that are being read.
///
/// # Panics
/// All methods do if the bytes aren't what is asked for.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

#[expect(clippy::missing_panics_doc, reason = "documented on the type")]
impl<'a> Reader<'a> {
    /// Reads from the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads `N` bytes as they are.
    pub fn raw<const N: usize>(&mut self) -> [u8; N] {
        let (first, rest) = self.0.split_first_chunk().expect("bytes that go on");
        self.0 = rest;
        *first
    }

    /// Reads a `u8`.
    pub fn u8(&mut self) -> u8 {
        let [byte] = self.raw();
        byte
    }

    /// Reads a `bool`, or tells whether an option has something.
    pub fn bool(&mut self) -> bool {
        match self.u8() {
            0 => false,
            1 => true,
            other => panic!("{other} is no bool"),
        }
    }

    /// Reads a `u32`.
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.raw())
    }

    /// Reads a `u64`.
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.raw())
    }

    /// Reads an `i64`.
    pub fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.raw())
    }

    /// Reads an `f64`.
    pub fn f64(&mut self) -> f64 {
        f64::from_le_bytes(self.raw())
    }

    /// Reads bytes with their length.
    pub fn run(&mut self) -> Vec<u8> {
        let len = usize::try_from(self.u64()).expect("a length");
        let (run, rest) = self
            .0
            .split_at_checked(len)
            .expect("as many bytes as were claimed");
        self.0 = rest;
        run.to_vec()
    }

    /// Reads a string.
    pub fn string(&mut self) -> String {
        String::from_utf8(self.run()).expect("UTF-8")
    }

    /// Reads an option.
    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.bool().then(|| read(self))
    }

    /// Reads a list.
    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.u64()).map(|_| read(self)).collect()
    }

    /// Checks that nothing is left.
    pub fn end(self) {
        assert_eq!(self.0, [0u8; 0], "left over");
    }
}
