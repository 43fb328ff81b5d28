"""Words of what is wrong with an artist's pictures."""

from __future__ import annotations

# English: German, Spanish, Japanese, Simplified Chinese.
WORDS: dict[str, tuple[str, str, str, str]] = {
    "{image} is a film or a sequence: choose a single picture.": (
        "{image} ist ein Film oder eine Sequenz: bitte ein einzelnes Bild wählen.",
        "{image} es una película o una secuencia: elige una sola imagen.",
        "{image}は動画か連番です。一枚の画像を選んでください。",
        "{image} 是影片或序列：请选择单张图片。",
    ),
    "{file} is damaged, or no image: save it again, or choose another one.": (
        "{file} ist beschädigt oder kein Bild: neu speichern oder ein anderes wählen.",
        "{file} está dañado o no es una imagen: guárdalo de nuevo o elige otro.",
        "{file}は壊れているか、画像ではありません。保存し直すか、別のものを選んでください。",
        "{file} 已损坏或不是图像：请重新保存，或选择其他文件。",
    ),
    "The file of the image {image} is missing: {path}. Choose another image.": (
        "Die Datei des Bildes {image} fehlt: {path}. Bitte ein anderes Bild wählen.",
        "Falta el archivo de la imagen {image}: {path}. Elige otra imagen.",
        "画像{image}のファイルがありません：{path}。別の画像を選んでください。",
        "图像 {image} 的文件不存在：{path}。请选择其他图像。",
    ),
    "The image {image} has no pixels. Choose another image.": (
        "Das Bild {image} hat keine Pixel. Bitte ein anderes Bild wählen.",
        "La imagen {image} no tiene píxeles. Elige otra imagen.",
        "画像{image}にはピクセルがありません。別の画像を選んでください。",
        "图像 {image} 没有像素。请选择其他图像。",
    ),
    "The image {image} has {width} x {height} pixels; at most {most} can be written out. Scale it down.": (
        "Das Bild {image} hat {width} x {height} Pixel; höchstens {most} können geschrieben werden. Bitte verkleinern.",
        "La imagen {image} tiene {width} x {height} píxeles; se pueden escribir {most} como mucho. Redúcela.",
        "画像{image}は{width} x {height}ピクセルです。書き出せるのは{most}までです。縮小してください。",
        "图像 {image} 有 {width} x {height} 像素，最多可写出 {most}。请缩小。",
    ),
    "The image {image} cannot be written out: {reason}": (
        "Das Bild {image} kann nicht geschrieben werden: {reason}",
        "La imagen {image} no se puede escribir: {reason}",
        "画像{image}を書き出せません：{reason}",
        "无法写出图像 {image}：{reason}",
    ),
    "There is no render to use: {reason} Render the scene first.": (
        "Es gibt kein Rendering: {reason} Bitte zuerst die Szene rendern.",
        "No hay ningún render: {reason} Renderiza primero la escena.",
        "使えるレンダリングがありません：{reason} 先にシーンをレンダリングしてください。",
        "没有可用的渲染：{reason} 请先渲染场景。",
    ),
    "{file} breaks off or is damaged: {reason}.": (
        "{file} bricht ab oder ist beschädigt: {reason}.",
        "{file} está incompleto o dañado: {reason}.",
        "{file}は途中で切れているか壊れています：{reason}。",
        "{file} 不完整或已损坏：{reason}。",
    ),
    "Save the image again.": (
        "Das Bild neu speichern.",
        "Guarda la imagen de nuevo.",
        "画像を保存し直してください。",
        "请重新保存图像。",
    ),
    "{file} is empty: it has 0 bytes.": (
        "{file} ist leer: 0 Bytes.",
        "{file} está vacío: tiene 0 bytes.",
        "{file}は空です（0バイト）。",
        "{file} 为空：0 字节。",
    ),
    "Choose an image file.": (
        "Eine Bilddatei wählen.",
        "Elige un archivo de imagen.",
        "画像ファイルを選んでください。",
        "请选择图像文件。",
    ),
    "{file} is not an image that can be read.": (
        "{file} ist kein lesbares Bild.",
        "{file} no es una imagen que se pueda leer.",
        "{file}は読める画像ではありません。",
        "{file} 不是可读取的图像。",
    ),
    "Use {kinds}.": (
        "{kinds} benutzen.",
        "Usa {kinds}.",
        "{kinds}を使ってください。",
        "请使用 {kinds}。",
    ),
    "{file} is too large: {width} x {height} pixels; at most {side} a side and {most} in all.": (
        "{file} ist zu groß: {width} x {height} Pixel; höchstens {side} je Seite und {most} insgesamt.",
        "{file} es demasiado grande: {width} x {height} píxeles; como mucho {side} por lado y {most} en total.",
        "{file}は大きすぎます：{width} x {height}ピクセル。一辺{side}、全体で{most}までです。",
        "{file} 过大：{width} x {height} 像素；每边最多 {side}，总共最多 {most}。",
    ),
    "Scale it down; 1,024 pixels are plenty.": (
        "Verkleinern; 1024 Pixel sind reichlich.",
        "Redúcela; 1024 píxeles bastan.",
        "縮小してください。1024ピクセルで十分です。",
        "请缩小；1024 像素足够。",
    ),
}
