//! Inventories and runbooks as people write them: YAML with every problem shown at its line and column.
