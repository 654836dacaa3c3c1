from .server import Server as Server
from .server import ServerOptions as ServerOptions
from .status import Code as Code
from .status import ServingError as ServingError
