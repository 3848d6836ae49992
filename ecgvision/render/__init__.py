"""Drawing of printed pages. The package itself is the public function `ecgvision.render`.

Importing a subpackage binds its name in the package above it. A function of the same name would be
lost then, so the package is callable and hands over to `ecgvision.api.render`.
"""

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Draw a record as a printed page; see `ecgvision.api.render`."""
        from importlib import import_module

        return import_module("ecgvision.api").render(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
