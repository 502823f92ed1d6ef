use reedbed::remote_module;

#[remote_module]
mod m {
    use std::rc::Rc;

    pub async fn run() -> usize {
        let count = Rc::new(1);
        std::future::ready(()).await;
        *count
    }
}

fn main() {}
