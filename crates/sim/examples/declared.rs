//! Prints what a simulated gateway declares as a JSON list; `cargo xtask lint --tr181 DIR` compares it with
//! TR-181.

#[path = "../../device/examples/declared/show.rs"]
mod show;

use serde_json::Value;

fn main() -> Result<(), serde_json::Error> {
    let objects = usphere_sim::gateway::objects().into_iter();
    let list: Vec<Value> = objects.map(show::show_object).collect();
    println!("{}", serde_json::to_string_pretty(&list)?);
    Ok(())
}
