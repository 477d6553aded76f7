"""The paper's figures and tables: which runs they need, how runs become rows, what to expect."""
