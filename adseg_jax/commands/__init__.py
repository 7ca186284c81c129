"""What the console script `adseg` does: one module a command.

Each has a dataclass `Arguments`, whose docstring is the command's help, and a
function `run` that takes one.
"""

# The command's words -> its module.
COMMANDS = {
    'data check': 'data_check',
    'evaluate': 'evaluate',
    'predict': 'predict',
    'export': 'export',
}
