"""The file picker of a form: the library in a dialog, in pages, with a search by name."""

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

PAGE_SIZE = 24


@require_GET
def pick(request: HttpRequest) -> HttpResponse:
    """`?tool=&field=` names the form field; `q` searches file names, `before` continues after a file.

    With `id` (VideoGen's), the response is that file's tile alone, selected: the file was just uploaded.
    """
    tool = tools.available().get(request.GET.get("tool", ""))
    field = (
        next((each for each in tool.file_fields if each.name == request.GET.get("field")), None)
        if tool
        else None
    )
    if tool is None or field is None:
        raise Http404("No form has this file field.")
    uploaded = request.GET.get("id", "").replace("\x00", "")
    if uploaded:
        file = File.objects.by_remote_id([uploaded]).get(uploaded)
        if file is None:
            raise Http404("This file is not in the library.")
        return render(request, "forms/_file_option.html", {"choice": Candidate(file, True), "spec": field})
    query = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    files = File.objects.in_library().of_types(field.media)
    if query:
        files = files.name_contains(query)
    cursor = PageCursor(request.GET, as_uuid, name="before")
    page = keyset.page(files, size=PAGE_SIZE, after=cursor.after)
    target = {"tool": tool.slug, "field": field.name}
    context = {
        "spec": field,
        "query": query,
        "choices": [Candidate(file) for file in page.rows],
        "url": with_query(reverse("file-pick"), target),
        "more": cursor.next_url(reverse("file-pick"), page, {**target, "q": query}),
        "is_more": "before" in request.GET,
    }
    template = "studio/_file_picker_options.html" if "before" in request.GET else "studio/_file_picker.html"
    return render(request, template, context)
