use reedbed::remote_module;

#[remote_module]
mod m {
    use std::sync::Mutex;

    use ndarray::ArrayView1;

    static KEPT: Mutex<Option<ArrayView1<'static, u8>>> = Mutex::new(None);

    pub fn keep_in_a_static(#[ndarray] line: ArrayView1<'_, u8>) {
        *KEPT.lock().unwrap() = Some(line);
    }

    pub fn keep_in_a_thread(#[ndarray] line: ArrayView1<'_, u8>) {
        std::thread::spawn(move || line.sum());
    }

    pub async fn keep_in_a_task(#[ndarray] line: ArrayView1<'_, u8>) {
        spawn(async move { line.sum() });
    }

    fn spawn<T>(_task: impl Future<Output = T> + Send + 'static) {}
}

fn main() {}
