//! Prints everything that is declared, the Agent's objects and this host's, as a JSON list;
//! `cargo xtask lint --tr181 DIR` compares it with TR-181.

mod show;

use serde_json::Value;

use self::show::show_object;

fn main() -> Result<(), serde_json::Error> {
    let mut objects = usphere_agent::objects::objects();
    objects.extend(usphere_device::objects());
    objects.extend(usphere_device::net::objects());
    // Several declare the root, each what is theirs.
    let (additions, objects): (Vec<_>, Vec<_>) = objects
        .iter()
        .enumerate()
        .partition(|(index, object)| *index > 0 && object.path == objects[0].path);
    let mut list: Vec<Value> = objects
        .into_iter()
        .map(|(_, object)| show_object(object))
        .collect();
    for (_, addition) in additions {
        let mut addition = show_object(addition);
        for members in ["parameters", "commands", "events"] {
            let more = addition[members].as_array_mut().map(std::mem::take);
            if let Some(known) = list[0][members].as_array_mut() {
                known.extend(more.unwrap_or_default());
            }
        }
    }
    println!("{}", serde_json::to_string_pretty(&list)?);
    Ok(())
}
