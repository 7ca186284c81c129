"""What the console script `adseg` does: one module a command.

Each has a dataclass `Arguments`, whose docstring is the command's help, and a
function `run` that takes one.
"""

# The command's words -> its module.
COMMANDS = {
    'run': 'run',
    'report': 'report',
    'evaluate': 'evaluate',
    'predict': 'predict',
    'export': 'export',
    'demo': 'demo',
    'fingerprint': 'fingerprint',
    'data check': 'data_check',
    'data': 'data_copies',  # behind `data check`, which begins alike
}
