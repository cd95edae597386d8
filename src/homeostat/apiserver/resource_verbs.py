"""The verbs of resources: reads a write's request, performs it, renders the answer."""

from __future__ import annotations

from homeostat.api import errors
from homeostat.api.catalogue.conversions import convert
from homeostat.api.kinds import POD, Kind
from homeostat.api.patch import patch_forms
from homeostat.api.shape.structural import Misshapen
from homeostat.api.types import Obj
from homeostat.apiserver import without_effect
from homeostat.apiserver.bodies import request_objects
from homeostat.apiserver.bodies.output_forms import Form, Forms, list_body
from homeostat.apiserver.contract import RequestInfo
from homeostat.apiserver.journal import causes
from homeostat.apiserver.path import warnings
from homeostat.apiserver.read.reading import JSON, Reads
from homeostat.apiserver.settings import Settings
from homeostat.apiserver.write import kind_rules, object_metadata
from homeostat.apiserver.write.deletion import Deletes
from homeostat.apiserver.write.seen_pod_specs import Templates
from homeostat.apiserver.write.writing import Write, Writes
from homeostat.wire.message import Request, Response


class Verbs:
    """Serves create, update, patch, delete and deletecollection."""

    def __init__(self, reads: Reads, writes: Writes, forms: Forms, settings: Settings) -> None:
        self._reads = reads
        self._writes = writes
        self._deletes = Deletes(writes)
        self._forms = forms
        self._settings = settings
        self._templates = Templates()

    def _write(self, request: Request, info: RequestInfo, kind: Kind) -> Write:
        request_objects.check_size(request, self._settings.max_request_body_bytes)
        assert request.user is not None
        dry_run, validation = request_objects.write_options(request.query, info.verb)
        return Write(
            info.catalogue.resource(kind),
            info.namespace if kind.namespaced else "",
            info.name,
            request.user,
            causes.of_request(request, request.user, info.verb),
            subresource=info.subresource,
            dry_run=dry_run,
            field_validation=validation,
        )

    async def create(self, request: Request, info: RequestInfo, kind: Kind) -> Response:
        """POST to a collection."""
        if info.name or (kind.namespaced and not info.namespace):
            raise errors.method_not_allowed()
        write = self._write(request, info, kind)
        form = self._forms.of(request, kind)
        obj = self._new(write, request)
        request_objects.place(obj, kind, write.namespace, "")
        if obj["metadata"].get("resourceVersion"):
            raise errors.ApiError(500, "", "resourceVersion should not be set on objects to be created")
        write.warnings += without_effect.warnings(kind, obj)
        data = await self._writes.create(write, obj)
        return self._answer(201, form, write, data)

    async def update(self, request: Request, info: RequestInfo, kind: Kind) -> Response:
        """PUT to an object or to its status."""
        write = self._write(request, info, kind)
        form = self._forms.of(request, kind)

        def sent() -> Obj:
            write.warnings.clear()
            new = self._accept(write, request_objects.parse_object(request, kind), request_objects.json_text(request))
            request_objects.place(new, kind, write.namespace, write.name)
            object_metadata.check_conditional(kind, new)
            return new

        first: Obj | None = sent()

        def replace(_: Obj) -> Obj:
            # What was tried before is no longer what the client sent: it has the version that it was tried on.
            nonlocal first
            new, first = first or sent(), None
            return new

        data = await self._writes.change(write, replace, is_read_only=True)
        return self._answer(200, form, write, data)

    async def patch(self, request: Request, info: RequestInfo, kind: Kind) -> Response:
        """PATCH of an object or of its status."""
        write = self._write(request, info, kind)
        form = self._forms.of(request, kind)
        media_type = request_objects.media_type(request)
        accepted = [
            each for each in patch_forms.CONTENT_TYPES if not (kind.custom and each == patch_forms.STRATEGIC_PATCH)
        ]
        if media_type not in accepted:
            raise request_objects.unknown_format(accepted)
        value = patch_forms.decode(request.body)
        schema = write.resource.schema

        def change(old: Obj) -> Obj:
            write.warnings.clear()
            new = patch_forms.apply(media_type, convert(old, kind), value, schema)
            try:
                new = self._accept(write, request_objects.patched(new, kind), b"", is_json=True)
            except Misshapen as error:
                raise request_objects.bad_patch(new, error) from error
            request_objects.place(new, kind, write.namespace, write.name)
            return new

        data = await self._writes.change(write, change)
        return self._answer(200, form, write, data)

    async def delete(self, request: Request, info: RequestInfo, kind: Kind) -> Response:
        """DELETE of an object."""
        write = self._write(request, info, kind)
        form = self._forms.of(request, kind)
        write.options = request_objects.delete_options(request)
        write.dry_run = bool(write.options.get("dryRun"))
        data, is_object = await self._deletes.delete(write)
        if is_object:
            return self._answer(200, form, write, data)
        return Response(200, data, _headers(write.warnings))

    async def delete_collection(self, request: Request, info: RequestInfo, kind: Kind) -> Response:
        """DELETE of everything that the selectors select; the list of what was deleted."""
        options = request_objects.delete_options(request)
        found = await self._reads.selected(request, info, kind)
        form = self._forms.of(request, kind)
        warned: list[str] = []
        for item in found:
            write = self._write(request, info, kind)
            write.namespace, write.name = item.namespace, item.name
            write.options = dict(options)
            write.dry_run = bool(options.get("dryRun"))
            try:
                await self._deletes.delete(write)
            except errors.ApiError as error:
                if error.code != 404:
                    raise
            warned += [text for text in write.warnings if text not in warned]
        meta: Obj = {"resourceVersion": str(self._reads.applied)}
        body = list_body(kind, meta, [item.data for item in found]) if form is None else form.many(found, meta)
        return Response(200, body, _headers(warned))

    def _new(self, write: Write, request: Request) -> Obj:
        """The object of a create, in the shape and version that is stored."""
        text = request_objects.json_text(request)
        parts = self._templates.parts(text) if write.kind is POD and text else None
        pod = self._templates.read(parts, write.resource) if parts else None
        if pod is not None:
            return pod
        obj = self._accept(write, request_objects.parse_object(request, write.kind), text)
        # Only where duplicates were looked for is it known that there are none.
        if parts and not write.warnings and not write.missing and write.field_validation != "Ignore":
            self._templates.learn(parts, obj)
        return obj

    def _accept(self, write: Write, obj: Obj, body: bytes, *, is_json: bool = False) -> Obj:
        """The client's object in the shape and version that is stored."""
        how = write.field_validation
        found = kind_rules.accept(write.resource, obj, field_validation=how, body=body, is_json=is_json)
        write.warnings.extend(found.problems)
        write.missing = found.missing
        if obj.get("metadata") is None:
            obj["metadata"] = {}
        return convert(obj, write.home)

    def _answer(self, status: int, form: Form | None, write: Write, data: bytes) -> Response:
        body = data if form is None else form.one(data)
        return Response(status, body, _headers(write.warnings))


def _headers(texts: list[str]) -> dict[str, str]:
    """The answer's headers, with what is warned of."""
    return {**JSON, **warnings.headers(texts)} if texts else dict(JSON)
