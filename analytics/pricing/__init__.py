"""What a call costs: prices by provider, model, date and service tier. No gRPC, no queue, no network.

book        PriceBook: the layers of prices, asked in order, behind a bounded cache
rates       rates as integers, and the arithmetic of a call's cost
price_list  a layer read from TOML: the user's file, and overrides.toml beside it
library     the layer of the genai-prices package
names       the names that providers and models go by
repricing   stored logs get the prices of today's book
settings    the setting that names the user's file

docs/decisions/0016-prices.md lists when a cost is unknown.
"""
