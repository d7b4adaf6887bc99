//! What holds of all of nothing says nothing: `etcd.members.all(m, m.healthy)` is true where no member is known.
//!
//! In every condition `range.all(…)` stands for `something(range) && range.all(…)`, and `something` fails where there is
//! nothing, so that the condition is unknown. A runbook that means "none, or all of them" says so: `r.size() == 0 || r.all(…)`.

use cel::common::ast::operators::LOGICAL_AND;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::{Context, ExecutionError, Value};

/// No name that can be written: it is not a runbook's to call.
const SOMETHING: &str = "@something";

/// Adds the function that fails where there is nothing.
pub(super) fn add_to(context: &mut Context<'_, '_>) {
    // Refused only for a name that the language has already.
    let _ = context.add_function(SOMETHING, |range: Value| {
        let empty = match &range {
            Value::List(items) => items.is_empty(),
            Value::Map(map) => map.map.is_empty(),
            _ => false,
        };
        if empty {
            Err(ExecutionError::function_error("all", "there is nothing that it could hold of"))
        } else {
            Ok(true)
        }
    });
}

/// The condition in which every `all` asks for something.
pub(super) fn asked_for(mut expression: IdedExpr) -> IdedExpr {
    ask(&mut expression);
    expression
}

fn ask(expression: &mut IdedExpr) {
    match &mut expression.expr {
        Expr::Comprehension(comprehension) => {
            for part in [
                &mut comprehension.iter_range,
                &mut comprehension.accu_init,
                &mut comprehension.loop_cond,
                &mut comprehension.loop_step,
                &mut comprehension.result,
            ] {
                ask(part);
            }
            // `all` begins with true and goes on as long as it is.
            if matches!(&comprehension.accu_init.expr, Expr::Literal(LiteralValue::Boolean(truth)) if *truth.inner()) {
                let id = expression.id;
                let range = source(&comprehension.iter_range).clone();
                let call = |name: &str, args| Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args });
                let something = IdedExpr { id, expr: call(SOMETHING, vec![range]) };
                let all = IdedExpr { id, expr: std::mem::take(&mut expression.expr) };
                expression.expr = call(LOGICAL_AND, vec![something, all]);
            }
        }
        Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).for_each(ask),
        Expr::Select(select) => ask(&mut select.operand),
        Expr::List(list) => list.elements.iter_mut().for_each(ask),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    ask(&mut entry.key);
                    ask(&mut entry.value);
                }
            }
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
}

/// What a range was chosen from: `hosts` of `hosts.filter(…)`. None of them being so is an answer; there being none is not.
fn source(range: &IdedExpr) -> &IdedExpr {
    match &range.expr {
        Expr::Comprehension(chosen) if matches!(chosen.accu_init.expr, Expr::List(_)) => source(&chosen.iter_range),
        _ => range,
    }
}
