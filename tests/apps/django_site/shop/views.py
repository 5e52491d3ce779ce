import asyncio
import hashlib

from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from .models import Thing


def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse(str(request.session["count"]))


@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    name = default_storage.save(file.name, file)
    with default_storage.open(name) as stored:
        return JsonResponse({"name": file.name, "size": file.size, "hash": hashlib.sha256(stored.read()).hexdigest(), "word": request.POST["word"]})


def things(request):
    return JsonResponse({"things": list(Thing.objects.order_by("name").values_list("name", flat=True))})


def stream(request):
    return StreamingHttpResponse((f"{number}," for number in range(5)), content_type="text/plain")


def file(request):
    return FileResponse(open(__file__, "rb"), content_type="text/plain")


async def awaited(request):
    await asyncio.sleep(0.01)
    return HttpResponse("awaited")
