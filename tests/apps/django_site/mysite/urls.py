from django.contrib import admin
from django.urls import path
from shop import views

urlpatterns = [path("admin/", admin.site.urls), path("count", views.count), path("upload", views.upload), path("things", views.things),
               path("stream", views.stream), path("file", views.file), path("async", views.awaited)]
