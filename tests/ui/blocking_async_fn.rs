use reedbed::remote_module;

#[remote_module]
mod plates {
    #[reedbed(blocking)]
    pub async fn next_plate() {}

    #[reedbed(blokcing)]
    pub fn eject() {}

    #[reedbed(blocking)]
    fn wait() {}
}

fn main() {}
