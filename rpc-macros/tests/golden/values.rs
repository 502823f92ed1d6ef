mod files {
    #![allow(unused)]

    /// Reads a file.
    #[cfg(unix)]
    #[inline]
    pub async fn read(path: &Path, r#type: &str, ranges: &[Range<u64>]) -> io::Result<Vec<u8>> {
        unreachable!("only expanded, never run")
    }

    /// Reads a file.
    #[cfg(not(unix))]
    pub fn read(path: PathBuf) -> Option<Vec<u8>> {
        unreachable!("only expanded, never run")
    }

    #[reedbed(blocking)]
    #[deprecated = "disks are large"]
    pub fn delete(call: u32, arguments: Cow<'_, str>) {}
}
