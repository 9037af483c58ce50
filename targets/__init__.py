"""What a step reads and writes: markers, tables, files, and the engines and stores behind them."""
