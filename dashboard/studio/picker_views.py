"""Choosing files for a form: the library in a dialog, searched by name, in pages."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from dashboard.forms.file_choice import Candidate
from dashboard.http.params import PageCursor, as_uuid
from dashboard.http.query_urls import with_query
from executions import tools
from executions.core import keyset
from executions.models import File

PAGE = 24


@require_GET
def pick(request: HttpRequest) -> HttpResponse:
    """`?tool=&field=` names the field that is chosen for; `q` looks in the names, `before` goes on from a file.

    With `id` (VideoGen's) only that file's tile comes back, chosen: it was just uploaded.
    """
    tool = tools.available().get(request.GET.get("tool", ""))
    field = (
        next((each for each in tool.file_fields if each.name == request.GET.get("field")), None)
        if tool
        else None
    )
    if tool is None or field is None:
        raise Http404("No form asks for such files.")
    wanted = request.GET.get("id", "").replace("\x00", "")
    if wanted:
        file = File.objects.filter(remote_id=wanted).first()
        if file is None:
            raise Http404("This file is not in the library.")
        return render(request, "forms/_file_option.html", {"choice": Candidate(file, True), "spec": field})
    words = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    found = File.objects.in_library()
    if field.media:
        found = found.filter(type__in=field.media)
    if words:
        found = found.filter(display_name__icontains=words)
    cursor = PageCursor(request.GET, as_uuid, name="before")
    page = keyset.page(found, size=PAGE, after=cursor.after)
    here = {"tool": tool.slug, "field": field.name}
    context = {
        "spec": field,
        "words": words,
        "choices": [Candidate(file) for file in page.rows],
        "url": with_query(reverse("file-pick"), here),
        "more": cursor.next_url(reverse("file-pick"), page, {**here, "q": words}),
        "is_more": "before" in request.GET,
    }
    template = "studio/_file_picker_options.html" if "before" in request.GET else "studio/_file_picker.html"
    return render(request, template, context)
