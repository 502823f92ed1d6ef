pub enum Shape {
    Empty,
    Disk(f32),
    Box { width: f32, height: f32 },
}
